"""An index says of every report what the report says of itself."""

from tests.page.full_tables import CONCLUSION, HOSTILE, QUESTION
from tests.page.parsed import Page
from tests.plots.small_tables import PLAIN, SWEEP
from trials import page


def test_an_index_lists_reports_with_relative_links(folder, tmp_path):
    page.write(folder(PLAIN, "plain"), "How accurate?", "Quite.")
    (tmp_path / "reference").mkdir()
    page.write(folder(SWEEP, "reference/a sweep"), "How wide?", "")
    foreign = folder({}, "foreign")
    (foreign / "report.html").write_text("<html><head><meta name='author' content='x'></head>", encoding="utf-8")
    found = Page(page.write_index(tmp_path).read_text(encoding="utf-8"))
    assert [each["href"] for each in found.all("a")] == ["plain/report.html", "reference/a%20sweep/report.html"]
    text = " ".join(found.texts[""].split())
    assert "How accurate? Quite. 2 trials; mean test accuracy 0.8500." in text
    assert "How wide? 2 configurations, 2 trials each; highest mean test accuracy 0.8000 (units = 10)." in text


def test_what_reports_say_is_only_text(full_folder):
    path = full_folder.parent / "index.html"
    found = Page(path.read_text(encoding="utf-8"))
    assert len(found.all("script")) == 1
    assert HOSTILE in QUESTION
    for text in (QUESTION, CONCLUSION, "0.9600 (cnn)"):
        assert text in found.texts[""]
    again = path.read_bytes()
    assert page.write_index(full_folder.parent).read_bytes() == again


def test_an_empty_folder_has_an_index(tmp_path):
    assert "No report here yet" in page.write_index(tmp_path).read_text(encoding="utf-8")
    assert page.write_index(tmp_path) is not None  # our own page is written anew


def test_somebody_elses_index_stays(tmp_path):
    (tmp_path / "index.html").write_text("<p>mine")
    assert page.write_index(tmp_path) is None
    assert (tmp_path / "index.html").read_text() == "<p>mine"
