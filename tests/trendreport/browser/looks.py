"""The looks of the page that docs/screenshots keeps: how each is opened, and its structure in numbers.

`python -m tests.trendreport.browser.looks` takes the pictures again and writes structure.json beside them; the tests
compare a fresh page with that file, so that pictures of another page than today's are found.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.trendhistory import synthetic_history
from harness.history import open_history
from harness.record import SessionRecord
from harness.trendreport import read_trends
from harness.trendreport.model import Trends
from harness.trendreport.page import page
from tests.paced import CAMERA, SOAK, STAGES, STALLING, cascaded, paced_run
from tests.trendreport.browser.conftest import CHECKOUT, Tab, chromium, key_fragment
from tests.trendreport.histories import CASE, IDENTITY, PARENT, session, write_history

SCREENSHOTS = CHECKOUT / "docs" / "screenshots"
STRUCTURE = SCREENSHOTS / "structure.json"
COUNTED = (
    "tr[data-row]", "svg.spark", "figure.chart", "figure.sketch", "figure.pareto", "figure.time", "table", "select",
    "button", "input", "nav a", ".flag", "details[open]", "details:not([open])", "dt",
)  # fmt: skip
# Elements that take room on the screen, by kind; the sections in their order; the words of the headings.
MEASURE = """
const seen = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.checkVisibility());
return {
  counts: Object.fromEntries(arguments[0].map((selector) => [selector, seen(selector).length])),
  sections: seen("main > [id], main > details, #detail").map((one) => one.id),
  headings: seen("h1, h2").map((one) => one.textContent.trim()),
  state: document.getElementById("verdict").dataset.state,
};
"""
# Every chart that is in sight has its canvas.
DRAWN = """
return [...document.querySelectorAll("figure.chart")].every((one) => {
  const {top, bottom} = one.getBoundingClientRect();
  return top > innerHeight || bottom < 0 || one.querySelector("canvas");
});
"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """width, height: of the window. at: what is scrolled to its top. chosen: with a session's detail."""

    width: int = 1280
    height: int = 900
    at: str = "body"
    media: str = "screen"
    theme: str = "light"
    chosen: bool = False


LOOKS = {
    "desktop": Look(),
    "charts": Look(at="#charts", height=700),
    "detail": Look(at="#detail", chosen=True, height=1500),
    "narrow": Look(width=390, height=844),
    "dark": Look(theme="dark", at="#charts"),
    "pace": Look(at="#pace", height=1650),
    "soak": Look(at="#soak", height=900),
    "print": Look(width=794, height=1123, media="print"),
}


def pictured(folder: Path) -> Trends:
    """A history with regressions, steps, remarks, invalid and missing sessions, the same every time.

    Beside it, cases at the camera's pace and soaks, which the simulated engine measured.
    """
    with open_history(synthetic_history(folder / "pictured.sqlite", cases=8, metrics=5, sessions=300)) as history:
        trends = read_trends(history)
    with open_history(write_history(folder / "paced.sqlite", list(_paced(folder)))) as history:
        return replace(trends, sections=read_trends(history).sections)


def _paced(folder: Path) -> Iterator[SessionRecord]:
    """A soak of two variants, of which one gets slower and stalls, and a cascade."""
    drifting = paced_run(folder, SOAK, 4.5, drift_per_frame=1e-5, **STALLING)
    warming = paced_run(folder, SOAK, 5.0, warming_c_per_s=0.02)
    cabin = cascaded(paced_run(folder, infer_ms=20.0), order=list(STAGES))
    soaked = {**IDENTITY, "arrivals": "0" * 12, "plan_minimum_s": SOAK.minimum_s}
    runs = ((CASE, drifting, SOAK, soaked), (PARENT, warming, SOAK, soaked),
            (replace(CASE, model="cabin"), cabin, CAMERA, {**IDENTITY, "arrivals": "0" * 12}))  # fmt: skip
    for case, run, plan, identity in runs:
        values = {"frame_p50_ms": [float(np.median(run.frame_ns)) / 1e6]}
        yield session(1, values, case=case, runs=(run,), plan=plan, identity=identity, simulated=True)


def show(tab: Tab, trends: Trends, text: str, look: Look) -> None:
    """Open the page in this look."""
    size = {"width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": False}
    tab.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    tab.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": look.media})
    tab.open(text, key_fragment(theme=look.theme, **(_chosen(trends) if look.chosen else {})))
    if look.media == "print":
        tab.run("dispatchEvent(new Event('beforeprint'))")
    tab.run("document.querySelector(arguments[0]).scrollIntoView()", look.at)
    tab.wait(DRAWN, True)


def structure(tab: Tab) -> dict[str, Any]:
    """Of the page that is open."""
    return dict(tab.run(MEASURE, list(COUNTED)))


def _chosen(trends: Trends) -> dict[str, str]:
    """The weightiest row whose newest session has its detail."""
    for row in trends.rows:
        if row.track is not None and row.series is not None and trends.tracks[row.track].ids[-1] in trends.details:
            return {"row": row.key, "session": trends.tracks[row.track].ids[-1]}
    raise LookupError("no row has a session in detail")


def main() -> None:
    """Take all pictures."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    driver = chromium()
    try:
        with tempfile.TemporaryDirectory() as folder:
            tab, trends = Tab(driver, Path(folder)), pictured(Path(folder))
            found, text = {}, page(trends)
            for name, look in LOOKS.items():
                show(tab, trends, text, look)
                found[name] = structure(tab)
                driver.save_screenshot(str(SCREENSHOTS / f"{name}.png"))
        STRUCTURE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    finally:
        driver.quit()


if __name__ == "__main__":
    main()
