"""What the trend report costs, beside asv publish and a plotly page of the same numbers.

`python -m benchmarks.trend_report --peers` writes synthetic histories of 50 and 500 series x 2,000 sessions, makes of
each a report, an asv site and a plotly page, in turn, and prints medians. `--peers PYTHON` names another Python, which
has asv, plotly and numpy. A try of 500 series takes about three minutes, nearly all of it asv's.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.peer_costs import Cost, Subject, files_of, opened_ms, outside, timed, with_work
from benchmarks.trendhistory import synthetic_history
from harness.case import Array
from harness.history import open_history
from harness.trendreport import read_trends
from harness.trendreport.model import Trends

HERE = Path(__file__).resolve().parent
# Series: cases and metrics; the seconds and the MB that are aimed at.
SHAPES = {50: (10, 5), 500: (50, 10)}
TARGETS = {50: (1.0, 1.5), 500: (8.0, 10.0)}
SESSIONS = 2000
MB = 1e6
WIDTHS = {"wall s": 8, "CPU s": 8, "work s": 8, "work CPU": 10, "MB": 8}

WHOLE = "import sys; from harness.cli import main; sys.exit(main())"
# The first run tells which modules a report loads; the others load them before their clock starts.
LIST = """
import json, sys
from harness.cli import main
main(sys.argv[2:])
names = [name for name, one in sys.modules.items() if getattr(one, "__spec__", None) and name != "__main__"]
with open(sys.argv[1], "w") as file: json.dump(names, file)
"""
WORK = """
import importlib, json, sys, time
from harness.cli import main
with open(sys.argv[1]) as file: names = json.load(file)
for name in names: importlib.import_module(name)
start, cpu = time.perf_counter(), time.process_time()
main(sys.argv[2:])
print(time.perf_counter() - start, time.process_time() - cpu)
"""


def numbers(trends: Trends) -> dict[str, Array]:
    """What the peers get: name and unit of each series, times of the sessions, value[series, session] (NaN: none)."""
    at = max((track.at for track in trends.tracks), key=len)
    value = np.full((len(trends.series), len(at)), np.nan)
    for row, one in zip(value, trends.series):
        row[one.index] = one.value
    names = [f"{trends.tracks[one.track].case.key.replace('/', '.')}.{one.metric}" for one in trends.series]
    units = [one.unit for one in trends.series]
    return {"name": np.array(names), "unit": np.array(units), "at": np.array(at), "value": value}


def prepared(folder: Path, series: int) -> Path:
    """The history, made where the folder has none."""
    path = folder / f"{series}.sqlite"
    cases, metrics = SHAPES[series]
    return path if path.exists() else synthetic_history(path, cases=cases, metrics=metrics, sessions=SESSIONS)


def ours(folder: Path, history: Path) -> Subject:
    """`harness report`, once to warm up; the folder has neither profiles nor baselines."""
    modules, page = folder / "modules.json", folder / f"{history.stem}.html"
    arguments = ("report", "--history", history.resolve(), "--out", page)
    timed(sys.executable, "-c", LIST, modules, *arguments, cwd=folder)

    def make() -> Cost:
        whole, _ = timed(sys.executable, "-c", WHOLE, *arguments, cwd=folder)
        return with_work(whole, timed(sys.executable, "-c", WORK, modules, *arguments, cwd=folder)[1])

    return Subject(name="harness report", page=page, make=make, mark="interactive")


def peers(folder: Path, history: Path, python: str) -> list[Subject]:
    """Both get exactly the numbers of our report; asv's results are written before anything is timed."""
    stored, page, site = (folder / f"{history.stem}{end}" for end in (".npz", "-plotly.html", "-asv"))
    with open_history(history, create=False) as opened:
        np.savez(stored, **numbers(read_trends(opened)))
    site.mkdir()
    timed(python, HERE / "peer_asv.py", stored, site, cwd=folder)
    draw = (python, HERE / "peer_plotly.py", stored, page)
    return [
        # Its page asks the network for what draws the charts, so that nobody can open it here.
        Subject(
            name="asv publish", page=site / "html" / "index.html",
            make=lambda: timed(python, "-m", "asv", "publish", cwd=site)[0],
        ),
        Subject(name="plotly", page=page, make=lambda: with_work(*timed(*draw, cwd=folder)), mark="drawn"),
    ]  # fmt: skip


def in_turn(subjects: Iterable[Subject], tries: int) -> dict[str, list[Cost]]:
    """So that another load of the machine meets all of them."""
    costs = defaultdict(list)
    for one in [one for _ in range(tries) for one in subjects]:
        costs[one.name].append(one.make())
    return costs


def opened(subjects: Iterable[Subject], tries: int) -> dict[str, float]:
    """Medians in ms, of those that can be opened."""
    from benchmarks.trend_page import browser

    found = defaultdict(list)
    with browser() as driver:
        for one in [one for _ in range(tries) for one in subjects if one.mark]:
            found[one.name].append(opened_ms(driver, one))
    return {name: median(values) for name, values in found.items()}


def line(name: str, figures: Sequence[float | None], rest: str = "") -> str:
    """A row of the table; what is not known stays empty."""
    told = ("" if one is None else f"{one:.2f}" for one in figures)
    return f"{name:<15}{''.join(f'{one:>{width}}' for one, width in zip(told, WIDTHS.values()))}{rest}"


def line_of(subject: Subject, costs: Sequence[Cost], opened_ms: float | None) -> str:
    medians = [None if None in column else median(column) for column in zip(*map(astuple, costs))]
    files = files_of(subject.page)
    size = sum(one.stat().st_size for one in files) / MB
    asked = len(outside(subject.page.read_text(encoding="utf-8")))
    in_browser = "" if opened_ms is None else f"{opened_ms:.0f}"
    return line(subject.name, [*medians, size], f"{len(files):>7}{asked:>9}{in_browser:>11}")


def compare(folder: Path, histories: Path, series: int, tries: int, python: str | None) -> None:
    """Measure and print one table."""
    history = prepared(histories, series)
    subjects = [ours(folder, history), *(peers(folder, history, python) if python else [])]
    costs = in_turn(subjects, tries)
    load = f"load {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores"
    shown = opened(subjects, tries) if shutil.which("chromium") else {}
    print(f"{series} series x {SESSIONS} sessions, median of {tries} in turn, {load}")
    names = "".join(f"{name:>{width}}" for name, width in WIDTHS.items())
    print(f"{'':<15}{names}{'files':>7}{'network':>9}{'opened ms':>11}")
    for one in subjects:
        print(line_of(one, costs[one.name], shown.get(one.name)))
    seconds, size = TARGETS[series]
    print(line("target", [None, None, seconds, None, size]), end="\n\n", flush=True)


def main() -> None:
    """Prepare, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--series", type=int, nargs="+", default=list(SHAPES), choices=SHAPES)
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--peers", nargs="?", const=sys.executable, metavar="PYTHON", help="measure asv and plotly too")
    parser.add_argument("--histories", type=Path, metavar="FOLDER", help="where 50.sqlite and 500.sqlite are or go")
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for series in parsed.series:
            compare(folder, parsed.histories or folder, series, parsed.tries, parsed.peers)


if __name__ == "__main__":
    main()
