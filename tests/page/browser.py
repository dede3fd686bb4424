"""Debian's chromium without a screen, and what it saw."""

import json
import shutil

from selenium import webdriver
from selenium.webdriver.chrome.service import Service

PROGRAMS = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
SWITCHES = (
    *("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking"),
    *("disable-component-update", "disable-sync", "hide-scrollbars"),
)


def started(profile):
    """A browser with an empty profile that records its console and its network."""
    options = webdriver.ChromeOptions()
    options.binary_location = PROGRAMS["chromium"]
    for switch in (*SWITCHES, f"user-data-dir={profile}"):
        options.add_argument(f"--{switch}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return webdriver.Chrome(options=options, service=Service(PROGRAMS["chromedriver"]))


def requested(driver):
    """The address of everything that was asked for since the last look."""
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [each for each in messages if each["method"] == "Network.requestWillBeSent"]
    return [each["params"]["request"]["url"] for each in sent]


def resized(driver, width, scheme="light"):
    """A window of that many pixels, as a telephone's, in a light or dark scheme."""
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
