"""The page's content for programs and for places that show no page: one form a module.

A twin is made of the trends alone, so that it says what the page says; only JUnit names pictures too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.trendreport.model import Trends
from harness.trendreport.twins.csv_twin import csv_twin
from harness.trendreport.twins.json_twin import json_twin
from harness.trendreport.twins.junit_twin import junit_twin
from harness.trendreport.twins.markdown_twin import markdown_twin
from harness.trendreport.twins.prometheus_twin import prometheus_twin

Pictures = Mapping[str, Path]


@dataclass(frozen=True, kw_only=True)
class Twin:
    """suffix: of its file beside the page. make: its text, of the trends and the rows' pictures by the rows' keys."""

    suffix: str
    make: Callable[[Trends, Pictures], str]


TWINS = {
    "json": Twin(suffix=".json", make=lambda trends, _: json_twin(trends)),
    "markdown": Twin(suffix=".md", make=lambda trends, _: markdown_twin(trends)),
    "csv": Twin(suffix=".csv", make=lambda trends, _: csv_twin(trends)),
    "junit": Twin(suffix=".junit.xml", make=junit_twin),
    "prometheus": Twin(suffix=".prom", make=lambda trends, _: prometheus_twin(trends)),
}
