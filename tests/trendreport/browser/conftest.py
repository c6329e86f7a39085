"""A real browser for the page: one headless Chromium per test session, pages from files, an empty console."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from harness.trendreport.model import Trends
from harness.trendreport.page import PACKAGE, SCRIPTS, page
from tests.absent import absent

CHECKOUT = Path(__file__).resolve().parents[3]
WIDTH, HEIGHT = 1280, 900
# With its trends, so that no others ever get the same id.
_PAGES: dict[tuple[object, ...], tuple[Trends, str]] = {}
# What the page must not even try, seen from before its first element on.
WATCH = """
{
window.seen = {violations: [], errors: [], dialogs: [], names: []};
addEventListener("securitypolicyviolation", ({violatedDirective: rule, blockedURI: address}) => {
  seen.violations.push(`${rule} ${address}`);
});
addEventListener("error", (event) => seen.errors.push(String(event.message)));
addEventListener("unhandledrejection", (event) => seen.errors.push(String(event.reason)));
const known = new Set(Object.getOwnPropertyNames(window));
addEventListener("load", () => {
  for (const one of document.querySelectorAll("[id]")) known.add(one.id);
  seen.names = Object.getOwnPropertyNames(window).filter((name) => !known.has(name));
});
for (const name of ["alert", "confirm", "prompt"]) window[name] = (text) => seen.dialogs.push(text);
}
"""


def chromium(*arguments: str, scripts: bool = True) -> Any:
    """A headless Chromium; skipped, or failed in CI, where the machine has none."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    steersman = shutil.which("chromedriver")
    if not browser or not steersman:
        absent("no Chromium with chromedriver on this machine: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    usual = ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--force-prefers-reduced-motion")
    for one in (*usual, f"--window-size={WIDTH},{HEIGHT}", *arguments):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    if not scripts:
        options.add_experimental_option("prefs", {"profile.managed_default_content_settings.javascript": 2})
    return webdriver.Chrome(options=options, service=Service(steersman))


def axe_source() -> str:
    """axe-core's text: the file that DMS_AXE names, else that of .tox/axe; skipped, or failed in CI, without."""
    place = os.environ.get("DMS_AXE") or CHECKOUT / ".tox" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
    if not Path(place).is_file():
        absent(f"no axe-core at {place}: npm install --prefix .tox/axe axe-core")
    return Path(place).read_text(encoding="utf-8")


def _text(trends: Trends, **options: Any) -> str:
    """The page, written once for all tests that show the same."""
    key = (id(trends), *options.items())
    if key not in _PAGES:
        _PAGES[key] = (trends, page(trends, **options))
    return _PAGES[key][1]


@dataclass(frozen=True)
class Tab:
    """The browser's one tab, and short words for what the tests ask of it."""

    driver: Any
    folder: Path

    def open(self, trends: Trends | str, fragment: str = "", **options: Any) -> Tab:
        """Write the page of these trends (or this text) and open it as a file."""
        path = self.folder / "trends.html"
        path.write_text(trends if isinstance(trends, str) else _text(trends, **options), encoding="utf-8")
        self.driver.get("about:blank")
        self.driver.get_log("browser")
        self.driver.get(f"{path.as_uri()}#{fragment}" if fragment else path.as_uri())
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script answers in the page."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[Any]:
        """Elements, in the order of the page."""
        return list(self.driver.find_elements("css selector", selector))

    def one(self, selector: str) -> Any:
        """The first element."""
        return self.driver.find_element("css selector", selector)

    def shown(self, selector: str) -> list[Any]:
        """Those that take room on the screen."""
        return list(
            self.run("return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility())", selector)
        )

    def texts(self, selector: str) -> list[str]:
        """The text of each, seen or not."""
        return list(self.run("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector))

    def choose(self, selector: str, value: str) -> None:
        """Pick an option of a select as a person does."""
        from selenium.webdriver.support.ui import Select

        Select(self.one(selector)).select_by_value(value)

    def keys(self, selector: str, *keys: str) -> None:
        """Focus an element and press keys."""
        from selenium.webdriver.common.action_chains import ActionChains

        self.run("document.querySelector(arguments[0]).focus()", selector)
        ActionChains(self.driver).send_keys(*keys).perform()

    def wait(self, script: str, wanted: Any) -> None:
        """Until a script answers this; what comes with the browser's next frames takes a moment."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        try:
            WebDriverWait(self.driver, 5, poll_frequency=0.02).until(lambda _: self.run(script) == wanted)
        except TimeoutException:
            assert self.run(script) == wanted, script

    @property
    def fragment(self) -> str:
        """What stands behind the # of the address."""
        return str(self.run("return location.hash.slice(1)"))

    def trouble(self) -> list[str]:
        """Whatever the page should not have done: errors, refused loads, dialogs, names of its own, requests."""
        seen = self.run("return window.seen") or {}
        asked = self.run(
            "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith('data:'))"
        )
        logged = [one["message"] for one in self.driver.get_log("browser") if one["level"] in ("SEVERE", "WARNING")]
        return [*(f"{kind}: {text}" for kind, texts in seen.items() for text in texts), *asked, *logged]


def unfold(tab: Tab) -> None:
    """Open all that is folded, and wait for a chart."""
    tab.run("for (const one of document.querySelectorAll('details')) one.open = true")
    tab.wait("return document.querySelectorAll('figure.chart canvas').length > 0", True)


@pytest.fixture(scope="session")
def driver() -> Iterator[Any]:
    """The browser of all tests here."""
    made = chromium()
    made.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    yield made
    made.quit()


@pytest.fixture
def tab(driver: Any, tmp_path: Path) -> Iterator[Tab]:
    """A tab of the usual size, light, without a page; whatever it shows must have stayed out of trouble."""
    driver.set_window_size(WIDTH, HEIGHT)
    driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"media": "", "features": [{"name": "prefers-color-scheme", "value": "light"}]}
    )
    made = Tab(driver, tmp_path)
    yield made
    assert made.trouble() == []


@pytest.fixture
def call(driver: Any) -> Callable[..., Any]:
    """Call a function of the page's script by name, on an empty page, where the script finds nothing to start with."""
    text = "\n".join((files(PACKAGE) / "assets" / name).read_text("utf-8") for name in SCRIPTS)

    def ask(expression: str, *arguments: Any) -> Any:
        driver.get("about:blank")
        return driver.execute_script(f'"use strict";\n{text}\nreturn {expression}', *arguments)

    return ask


def key_fragment(**state: str) -> str:
    """The fragment of a state."""
    return "&".join(f"{name}={quote(value)}" for name, value in state.items())
