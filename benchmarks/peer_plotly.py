"""The peer plotly: one page of given series, a trace each, with plotly.js in it.

`python benchmarks/peer_plotly.py SERIES.npz PAGE`, with a Python that has plotly and numpy, prints the wall and CPU
seconds from the numbers in memory to the written file. `SERIES.npz`: see `benchmarks.trend_report`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from plotly import graph_objects

# A mark in the browser's performance timeline once the chart stands.
DRAWN = "performance.mark('drawn')"


def write_page(path: Path, series: Any) -> None:
    """One chart of lines as SVG, which is drawn sooner than plotly's WebGL where no GPU is; x counts the sessions."""
    traces = [
        graph_objects.Scatter(y=values, name=name, mode="lines")
        for name, values in zip(series["name"].tolist(), series["value"])
    ]
    graph_objects.Figure(traces).write_html(path, include_plotlyjs=True, post_script=DRAWN)


if __name__ == "__main__":
    with np.load(sys.argv[1]) as stored:
        given = dict(stored)
    start, cpu = time.perf_counter(), time.process_time()
    write_page(Path(sys.argv[2]), given)
    print(time.perf_counter() - start, time.process_time() - cpu)
