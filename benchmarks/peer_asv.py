"""The peer airspeed velocity (asv): a repository and results files of given series, as if asv had measured them.

`python benchmarks/peer_asv.py SERIES.npz FOLDER`, with a Python that has asv and numpy; then `asv publish` in FOLDER.
One benchmark per series, one commit per session. `SERIES.npz`: see `benchmarks.trend_report`.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

BRANCH, MACHINE, ENVIRONMENT = "main", "bench", "python"
CONFIG: dict[str, Any] = {"version": 1, "project": "trends", "repo": "repository", "branches": [BRANCH]}


def commit_stream(times_s: Iterable[int]) -> Iterator[bytes]:
    """Commits of these times (since 1970), each on the one before, in the format of `git fast-import`."""
    for number, time_s in enumerate(times_s):
        message = f"Change {number}\n".encode()
        yield b"commit refs/heads/%s\ncommitter ann <ann@example.org> %d +0000\n" % (BRANCH.encode(), time_s)
        yield b"data %d\n%s\n" % (len(message), message)


def make_repository(folder: Path, times_s: Sequence[int]) -> list[str]:
    """A bare repository with these commits; their hashes, oldest first."""
    subprocess.run(["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", folder], check=True)
    feed = b"".join(commit_stream(times_s))
    subprocess.run(["git", "-C", folder, "fast-import", "--quiet"], input=feed, check=True)
    listed = ["git", "-C", str(folder), "rev-list", "--reverse", BRANCH]
    return subprocess.run(listed, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def write_results(folder: Path, series: Any) -> None:
    """Through asv's own classes, so that the files are what `asv run` leaves for benchmarks that return one number."""
    from asv import util
    from asv.benchmarks import Benchmarks
    from asv.config import Config
    from asv.machine import Machine

    times_s = [int(datetime.fromisoformat(at).timestamp()) for at in series["at"].tolist()]
    commits = make_repository(folder / CONFIG["repo"], times_s)
    (folder / "asv.conf.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    tracked = [_benchmark(name, unit) for name, unit in zip(series["name"].tolist(), series["unit"].tolist())]
    results = folder / "results"
    machine = {name: "" for name, _ in Machine.fields} | {"machine": MACHINE}
    util.write_json(str(results / MACHINE / "machine.json"), machine, Machine.api_version)
    config = Config.from_json(CONFIG | {"results_dir": str(results)})
    Benchmarks(config, tracked).save()
    for commit, time_s, values in zip(commits, times_s, series["value"].T.tolist()):
        _write_commit(results, commit, time_s * 1000, tracked, values)


def _benchmark(name: str, unit: str) -> dict[str, Any]:
    return {"name": name, "type": "track", "unit": unit, "version": "1", "params": [], "param_names": [], "code": ""}


def _write_commit(results: Path, commit: str, time_ms: int, tracked: list[dict[str, Any]], values: list[float]) -> None:
    """What is NaN was not measured, and is left out."""
    from asv.results import Results
    from asv.runner import BenchmarkResult

    found = Results({"machine": MACHINE}, {}, commit, time_ms, "3", ENVIRONMENT, {})
    for benchmark, value in zip(tracked, values):
        if not math.isnan(value):
            one = BenchmarkResult([value], [None], [None], errcode=0, stderr="", profile=None)
            found.add_result(benchmark, one, started_at=datetime.fromtimestamp(time_ms / 1000, UTC))
    found.save(str(results))


if __name__ == "__main__":
    with np.load(sys.argv[1]) as stored:
        write_results(Path(sys.argv[2]), dict(stored))
