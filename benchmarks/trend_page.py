"""The trend report in a real browser: how soon it can be used, and how fast it answers.

`python -m benchmarks.trend_page` writes pages of 50 and 500 series x 2,000 sessions, opens them in headless Chromium
and prints medians of what the browser's own performance timeline says, beside their targets.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.trendhistory import synthetic_history
from harness.history import open_history
from harness.trendreport import read_trends
from harness.trendreport.page import page

METRICS = 5
PRECISE = ("--enable-precise-memory-info", "--window-size=1600,1000")
# Milliseconds for 50 series; 500 shall be usable.
TARGETS_MS = {"interactive": 1000.0, "zoom": 100.0, "zoom to paint": 100.0, "filter": 100.0, "filter to paint": 100.0}
READY = "return performance.getEntriesByName('interactive').length > 0"
# Durations of an event run from the key to the next frame that shows what it did, in steps of 8 ms.
OBSERVE = """
window.events = [];
new PerformanceObserver((list) => {
  for (const one of list.getEntries()) if (one.name === "keydown") events.push(one.duration);
}).observe({type: "event", durationThreshold: 16});
"""
MEASURED = "return performance.getEntriesByName(arguments[0], 'measure').map((one) => one.duration)"
CANVASES = "return document.querySelectorAll('figure.chart canvas').length"
IN_VIEW = """
return [...document.querySelectorAll("figure.chart canvas")].filter((one) => {
  const {top, bottom} = one.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}).length
"""
FRAMES = "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 100)))"


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium that tells the true size of its heap."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for one in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", *PRECISE):
        options.add_argument(one)
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def write_page(folder: Path, series: int, sessions: int) -> Path:
    """A page of a synthetic history; prints what it took."""
    made = folder / f"{series}.sqlite"
    synthetic_history(made, cases=series // METRICS, metrics=METRICS, sessions=sessions)
    with open_history(made) as history:
        start = time.monotonic()
        text = page(read_trends(history))
    path = folder / f"{series}.html"
    path.write_text(text, encoding="utf-8")
    print(f"{series} series x {sessions} sessions: {len(text) / 1e6:.2f} MB in {time.monotonic() - start:.2f} s")
    return path


def opened_ms(driver: Any, path: Path) -> float:
    """From the start of the navigation to a page that answers."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get(path.as_uri())
    WebDriverWait(driver, 60, poll_frequency=0.05).until(lambda one: one.execute_script(READY))
    return float(driver.execute_script("return performance.getEntriesByName('interactive')[0].startTime"))


def zoomed(driver: Any, tries: int) -> dict[str, list[float]]:
    """All charts in view, drawn anew: once in, once out."""
    from selenium.webdriver.common.action_chains import ActionChains

    driver.execute_script("document.querySelector('.plot').scrollIntoView({block: 'center'})")
    driver.execute_async_script(FRAMES)
    driver.execute_script(OBSERVE)
    driver.execute_script("document.querySelector('.plot').focus()")
    for _ in range(tries):
        for key in ("+", "-"):
            ActionChains(driver).send_keys(key).perform()
            driver.execute_async_script(FRAMES)
    print(f"{driver.execute_script(IN_VIEW)} charts in view, {driver.execute_script(CANVASES)} canvases")
    return {"zoom": driver.execute_script(MEASURED, "zoom"), "zoom to paint": driver.execute_script("return events")}


def filtered(driver: Any, tries: int) -> dict[str, list[float]]:
    """A word is searched, letter by letter, and taken back."""
    from selenium.webdriver.common.action_chains import ActionChains

    driver.execute_script("scrollTo(0, 0); document.getElementById('search').focus()")
    driver.execute_async_script(FRAMES)
    driver.execute_script(OBSERVE)
    for _ in range(tries):
        for key in ("p", "9", "9", "\ue003", "\ue003", "\ue003"):
            ActionChains(driver).send_keys(key).perform()
            driver.execute_async_script(FRAMES)
    events = driver.execute_script("return events")
    return {"filter": driver.execute_script(MEASURED, "filter"), "filter to paint": events}


def report(name: str, found: Sequence[float]) -> None:
    """One line; what took less than an event's threshold of 16 ms is not among the events."""
    target = TARGETS_MS.get(name)
    if found:
        print(f"{name:<18}{median(found):>9.1f}{max(found):>9.1f}{len(found):>6}{f'{target:.0f}' if target else '':>9}")
    else:
        print(f"{name:<18}{'< 16':>9}{'':>9}{0:>6}{f'{target:.0f}' if target else '':>9}")


def main() -> None:
    """Write, open, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--series", type=int, nargs="+", default=[50, 500])
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--tries", type=int, default=5)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, browser() as driver:
        for series in parsed.series:
            path = write_page(Path(folder), series, parsed.sessions)
            print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {driver.capabilities['browserVersion']}")
            print(f"{'what':<18}{'median':>9}{'worst':>9}{'count':>6}{'target':>9}   ms")
            report("interactive", [opened_ms(driver, path) for _ in range(parsed.tries)])
            for name, values in (zoomed(driver, parsed.tries) | filtered(driver, parsed.tries)).items():
                report(name, values)
            heap = driver.execute_script("return performance.memory.usedJSHeapSize") / 1e6
            print(f"heap {heap:.0f} MB\n")


if __name__ == "__main__":
    main()
