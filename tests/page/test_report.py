"""What stands in a report, that it is only text, and that it comes from nowhere else."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.page.full_tables import CONCLUSION, HOSTILE, QUESTION, REASON, RUN
from tests.page.parsed import Page
from tests.plots.small_tables import PLAIN, SUMMARY, SWEEP, TRIALS
from trials import page


def written(folder, tables, **more):
    return Page(page.write(folder(tables, **more), "Which?", "").read_text(encoding="utf-8"))


# What is there.


def test_every_section_stands_in_its_order(full_page):
    assert full_page.sections == [
        *("published", "summary", "trials", "curves", "comparisons", "batch-norm", "failures", "reproduce"),
    ]
    assert len(full_page.all("svg")) == 4  # accuracies, two kinds of curves, violins
    before = full_page.texts[""]
    assert before.index("full") < before.index(QUESTION) < before.index(CONCLUSION)


def test_a_sweep_has_its_curve_and_no_section_of_what_is_not_there(folder):
    found = written(folder, SWEEP)
    assert found.sections == ["summary", "trials", "sweep", "failures", "reproduce"]
    table = found.tables["Mean test accuracy (a fraction) with its 95 % t interval, by units"]
    assert table[1:] == [["2", "0.5000 (0.3000 to 0.7000)"], ["10", "0.8000 (0.6500 to 0.9500)"]]
    assert "None: all 4 trials ended well." in found.texts["failures"]


def test_the_summary_is_sortable_and_has_no_empty_column(full_page):
    table = full_page.tables["Test accuracy (a fraction) over n trials"]
    assert table == [
        ["variant", "n", "failed", "mean", "std", "95 % t interval"],
        ["mlp", "2", "1", "0.8500", "0.0707", "0.2146 to 1.4854"],
        ["cnn", "2", "0", "0.9600", "0.0141", "0.8329 to 1.0871"],
        [HOSTILE, "2", "0", "0.6500", "0.0707", "0.0146 to 1.2854"],
    ]
    assert "sortable" in {table.get("class") for table in full_page.all("table")}


def test_the_binomial_error_stands_beside_the_spread_where_the_table_has_it(folder):
    summary = [f"{SUMMARY},test_accuracy_std,test_accuracy_binomial_se", "mlp,2,1,0.85,0.21,1.49,0.0707,0.0651"]
    found = written(folder, PLAIN, summary=summary)
    head, row = found.tables["Test accuracy (a fraction) over n trials"]
    assert row[head.index("std") :][:2] == ["0.0707", "0.0651"]
    assert "another test set" in found.texts["summary"]
    assert "another test set" not in written(folder, PLAIN).texts["summary"]


def test_published_learning_curves_are_counted(full_page):
    text = " ".join(full_page.texts["published"].split())
    assert "Of 3 published figures of learning curves 1 lie outside" in text
    assert "by chance alone 0.15 would" in text
    assert full_page.tables["How many lie outside, by configuration and metric"] == [
        ["configuration", "train accuracy", "train loss"],
        ["mlp", "1 of 2", ""],
        ["cnn", "", "0 of 1"],
    ]
    assert "All 4 figures of learning curves" in text


def test_notes_stand_below_their_table(full_page):
    assert (
        full_page.tables["variants: test accuracy of the second minus that of the first, pairs by seed"][1][-1] == "1"
    )
    assert full_page.texts["comparisons"].count("needs 9") == 1
    assert f"as {HOSTILE} says" in full_page.texts["published"]


def test_the_matrix_is_row_minus_column(full_page):
    (caption,) = (caption for caption in full_page.tables if caption.startswith("Variants"))
    assert full_page.tables[caption] == [
        ["", "mlp", "cnn"],
        ["cnn", "+0.1100 −0.3982 to +0.6182 no verdict", ""],
        [HOSTILE, "−0.2000 −0.2000 to −0.2000 first higher", "−0.3100 −0.8182 to +0.1982 no verdict"],
    ]
    # Only one adjusted p is below 0.05.
    assert [each["class"] for each in full_page.all("td") if each.get("class") in ("higher", "lower")] == ["lower"]
    assert full_page.tables["depth: test accuracy of the second minus that of the first, pairs by seed"][1][:2] == [
        *("depth=1", "depth=2"),
    ]


def test_every_figure_has_its_table(full_page):
    curve = full_page.tables["Accuracy (a fraction) by epoch, mean and standard deviation over trials"]
    assert curve[:3] == [
        ["variant", "epoch", "train mean", "train std"],
        ["mlp", "1", "0.6000", "0.0000"],
        ["mlp", "2", "0.8000", "0.0000"],
    ]
    assert full_page.tables["Test accuracy (a fraction) of every trial"][3] == [
        *("cnn", "1", "0", "2", "2", "0.9500", "0.5000"),
    ]
    norms = full_page.tables["Gamma and beta, channels of all trials pooled"]
    assert norms[1] == ["cnn", HOSTILE, "0.5000", "0.7500", "1.5000", "0.2500", "0.2500", "0.2500"]


def test_long_curves_are_thinned(folder):
    epochs = [PLAIN["epochs"][0], *(f"e,mlp,1,0,{epoch},0.5,1.0,," for epoch in range(1, 202))]
    found = written(folder, PLAIN, epochs=epochs)
    table = found.tables["Accuracy (a fraction) by epoch, mean and standard deviation over trials"]
    assert [row[1] for row in table[1:]] == [str(1 + 10 * i) for i in range(21)]


def test_a_trial_that_failed_is_told_with_its_reason(full_page):
    assert full_page.tables["Trials left out of every average"][1] == ["mlp", "3", "2", "diverged", REASON]


def test_reproduction_is_what_the_run_recorded(full_page):
    text = full_page.texts["reproduce"]
    commands = [each["command"] for each in RUN["earlier runs"]] + [RUN["command"]]
    assert "\n".join([*commands, "python run_trials.py --report results/full"]) in text
    for part in (
        "0 to 2",
        "9650431317fc",
        "e9037efff50f, with uncommitted changes",
        "keras 3.15.1",
        "AMD EPYC, 2 cores",
    ):
        assert part in text
    assert "somewhere" not in text


@pytest.mark.parametrize(
    "tables",
    [{"trials": [TRIALS, PLAIN["trials"][3]], "summary": [SUMMARY, "mlp,0,1,,,"]}, {}],
    ids=["all diverged", "nothing"],
)
def test_a_folder_without_a_good_trial_has_a_page_too(folder, tables):
    found = written(folder, tables)
    assert found.sections == ["failures", "reproduce"]
    assert "No trial ended well" in found.texts[""]


def test_a_damaged_record_of_the_run_is_no_record(folder):
    path = folder(PLAIN)
    (path / "run.json").write_text("{", encoding="utf-8")
    assert "--report results/e" in Page(page.write(path, "Which?", "").read_text(encoding="utf-8")).texts["reproduce"]


# What is not there.


def test_names_and_reasons_are_only_text(full_page):
    assert len(full_page.all("script")) == 1
    assert not full_page.all("img")
    assert not [name for _, attributes in full_page.elements for name in attributes if name.startswith("on")]
    assert full_page.texts["summary"].count(HOSTILE) >= 1


def test_nothing_is_loaded_from_elsewhere(full_page):
    for tag, attributes in full_page.elements:
        for name, value in attributes.items():
            if name in ("src", "href", "action", "data", "srcset", "poster"):
                assert value.startswith("#") or value == "data:,", (tag, name, value)
            assert tag == "meta" or "http" not in value
            assert "url(" not in value or value.startswith("url(#")


def test_the_policy_lets_in_the_pages_own_style_and_script_alone(full_folder):
    text = (full_folder / "report.html").read_text(encoding="utf-8")
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', text)
    policy = policy.replace("&#39;", "'")
    for tag in ("style", "script"):
        (own,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(own.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    assert " style=" not in text  # such attributes the policy would refuse


def test_identifiers_are_unique_and_every_reference_is_met(full_page):
    names = [attributes["id"] for _, attributes in full_page.elements if "id" in attributes]
    assert len(names) == len(set(names))
    values = [attributes.get(name, "") for _, attributes in full_page.elements for name in ("href", "clip-path")]
    references = {found for value in values for found in re.findall(r"#([\w.-]+)", value)}
    assert len(references) > 10
    assert references <= set(names)


# The same again.


def test_importing_loads_nothing_heavy():
    code = "import sys, trials.page; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"tensorflow", "keras", "matplotlib", "pandas", "models", "experiments"} & set(done.stdout.split())


def test_equal_tables_give_equal_bytes_whenever_and_wherever(full_folder, tmp_path):
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(full_folder, copy, ignore=shutil.ignore_patterns("*.html"))
    later = {**RUN, "started": "2027-01-01T00:00:00+00:00", "seconds": 1.0, "machine": {**RUN["machine"], "host": "b"}}
    (copy / "run.json").write_text(json.dumps(later), encoding="utf-8")
    page.write(copy, QUESTION, CONCLUSION)
    assert (copy / "report.html").read_bytes() == (full_folder / "report.html").read_bytes()
    assert sorted(each.name for each in copy.iterdir()) == sorted(each.name for each in full_folder.iterdir())
