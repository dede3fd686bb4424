"""Reports and index as a real browser shows them."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.page.browser import PROGRAMS, requested, resized, started
from tests.page.full_tables import HOSTILE, QUESTION

pytestmark = pytest.mark.skipif(None in PROGRAMS.values(), reason="chromium and chromedriver are not installed")
FIRST_TABLE = "#summary table"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = started(tmp_path_factory.mktemp("profile"))
    yield driver
    driver.quit()


@pytest.fixture(params=["report.html", "../index.html"], ids=["report", "index"])
def address(request, full_folder):
    return (full_folder / request.param).resolve().as_uri()


@pytest.fixture
def report(driver, full_folder):
    """The report, freshly opened in a wide window."""
    resized(driver, 1280)
    driver.get((full_folder / "report.html").as_uri())
    return driver


def column(driver, index):
    rows = driver.find_elements(By.CSS_SELECTOR, f"{FIRST_TABLE} tbody tr")
    return [row.find_elements(By.CSS_SELECTOR, "th, td")[index].text for row in rows]


def headers(driver):
    return driver.find_elements(By.CSS_SELECTOR, f"{FIRST_TABLE} thead th")


def orders(driver):
    return [header.get_attribute("aria-sort") for header in headers(driver)]


def test_it_renders_without_a_word_on_the_console_and_loads_nothing_else(driver, address):
    driver.get_log("browser")
    requested(driver)
    driver.get(address)
    assert driver.get_log("browser") == []
    own = ("chrome:", "data:")  # the browser's first page, and the icon that there is none
    assert [url for url in requested(driver) if not url.startswith(own)] == [address]
    assert driver.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)") == []
    assert driver.find_element(By.TAG_NAME, "h1").is_displayed()


def test_the_policy_refuses_what_a_page_would_load(report):
    refused = report.execute_async_script(
        """
        const done = arguments[0], image = new Image();
        image.onload = () => done("loaded"); image.onerror = () => done("refused");
        image.src = "report.html";
        """
    )
    assert refused == "refused"
    assert any("Content Security Policy" in entry["message"] for entry in report.get_log("browser"))


def test_style_and_script_are_let_in(report):
    margin = report.execute_script("return getComputedStyle(document.querySelector('.conclusion')).borderLeftStyle")
    assert margin == "solid"
    assert len(report.find_elements(By.CSS_SELECTOR, f"{FIRST_TABLE} th button")) == len(headers(report))


def test_a_click_sorts_and_another_turns_the_order(report):
    assert column(report, 3) == ["0.8500", "0.9600", "0.6500"]
    assert set(orders(report)) == {None}
    mean = headers(report)[3].find_element(By.TAG_NAME, "button")
    mean.click()
    assert column(report, 3) == ["0.6500", "0.8500", "0.9600"]
    assert orders(report)[3] == "ascending"
    mean.click()
    assert column(report, 3) == ["0.9600", "0.8500", "0.6500"]
    assert orders(report)[3] == "descending"
    headers(report)[0].find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    assert column(report, 0) == [HOSTILE, "cnn", "mlp"]
    assert orders(report) == ["ascending", *[None] * 5]


def test_empty_cells_come_last_whichever_way(report):
    report.execute_script("document.querySelectorAll('#published details').forEach(each => each.open = true)")
    table = report.find_element(By.CSS_SELECTOR, "#published details table")
    (measured,) = (each for each in table.find_elements(By.TAG_NAME, "button") if each.text == "measured")
    for first in ("0.6000", "1.0000"):
        measured.click()
        rows = table.find_elements(By.CSS_SELECTOR, "tbody tr")
        assert first in rows[0].text
        assert rows[-1].text.endswith("not measured")


def test_hostile_names_are_shown_and_make_no_element(driver, address):
    driver.get(address)
    assert driver.find_element(By.CSS_SELECTOR, ".question").text == QUESTION
    assert len(driver.find_elements(By.TAG_NAME, "script")) == 1
    assert not driver.find_elements(By.TAG_NAME, "img")


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_the_page_never_scrolls_sideways(driver, address, width):
    resized(driver, width)
    driver.get(address)
    driver.execute_script("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert driver.execute_script("return document.documentElement.scrollWidth") == width


def test_a_wide_table_scrolls_in_its_own_box(report):
    resized(report, 390)
    wide = "const box = document.querySelector('#summary .scroll'); return box.scrollWidth > box.clientWidth"
    assert report.execute_script(wide)


def luminance(colour):
    red, green, blue = (int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(","))
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_and_lines_stand_out_in_light_and_dark(report, scheme):
    resized(report, 1280, scheme)
    colours = report.execute_script(
        """
        const of = (query, name) => [...document.querySelectorAll(query)].map(each => getComputedStyle(each)[name]);
        return {paper: of("body", "backgroundColor"), text: [...of("body, .extent, a, summary", "color")],
                letters: of("svg", "fill"), lines: of('svg [stroke="#0072b2"], svg [stroke="#d55e00"]', "stroke")};
        """
    )
    (paper,) = colours.pop("paper")
    assert (luminance(paper) > 0.5) is (scheme == "light")
    for kind, least in (("text", 4.5), ("letters", 4.5), ("lines", 3)):  # WCAG 2.2: text, graphics
        assert colours[kind]
        for colour in set(colours[kind]):
            low, high = sorted((luminance(paper), luminance(colour)))
            assert (high + 0.05) / (low + 0.05) >= least, (kind, colour)


def test_without_script_the_tables_are_there(driver, full_folder):
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        driver.get((full_folder / "report.html").as_uri())
        assert column(driver, 3) == ["0.8500", "0.9600", "0.6500"]
        assert not driver.find_elements(By.TAG_NAME, "button")
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})
