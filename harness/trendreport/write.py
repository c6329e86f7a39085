"""The trend report as files: the page, its twins and its figures, each whole or not at all."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.drawing import require_matplotlib
from harness.errors import ConfigError, HarnessError
from harness.files import write_atomically
from harness.trendreport.figures import draw_figures, figure_files
from harness.trendreport.model import Trends
from harness.trendreport.page import page
from harness.trendreport.twins import TWINS

PAGE = "trends.html"
# Beside an SQLite file while it is written to ("Temporary Files Used By SQLite"); to lose one may damage it.
SQLITE_ENDS = ("-journal", "-wal", "-shm")


@dataclass(frozen=True, kw_only=True)
class Targets:
    """Where things go. twins: by their name in TWINS. figures: a folder, None where none are wanted.

    history: the file that is read, where it is one. option: what on the command line names the page's place.
    """

    page: Path
    twins: Mapping[str, Path] = field(default_factory=dict)
    figures: Path | None = None
    history: Path | None = None
    option: str = "--out"


def write_files(trends: Trends, targets: Targets, *, commit_url: str = "") -> tuple[list[Path], list[str]]:
    """Write the page, then the figures, then the twins; what was written, and in words what was left out.

    ConfigError for a `commit_url` that is no address and for places that cannot be, and then nothing is written.
    HarnessError for what fails; behind the page, only once all else is written.
    """
    _check_places(trends, targets)
    if targets.figures is not None:
        require_matplotlib()
    text = page(trends, commit_url=commit_url)
    written = [write_atomically(targets.page, text, option=targets.option)]
    faults: list[HarnessError] = []
    pictures, notes = _write_figures(trends, targets, written, faults)
    for name, path in targets.twins.items():
        with _collected(faults):
            written.append(write_atomically(path, TWINS[name].make(trends, pictures), option=f"--{name}"))
    if faults:
        raise _whole_fault(faults, written)
    return written, notes


def beside(page: Path) -> dict[str, Path]:
    """The path of every twin beside the page."""
    return {name: page.with_name(f"{page.stem}{twin.suffix}") for name, twin in TWINS.items()}


def checked_file(path: Path, option: str) -> Path:
    """`path`; ConfigError where it names no file."""
    if not path.name:
        raise ConfigError(f"{str(path)!r} names no file", where=option, remedy="name one, or leave the option out")
    return path


def _write_figures(
    trends: Trends, targets: Targets, written: list[Path], faults: list[HarnessError]
) -> tuple[Mapping[str, Path], list[str]]:
    """The rows' pictures, and what was left out."""
    if targets.figures is not None:
        with _collected(faults):
            drawn = draw_figures(trends, targets.figures)
            written += drawn.files
            more = f"{drawn.left_out} open rows have no figure: without a series, or behind the weightiest"
            return drawn.of_row, [more] if drawn.left_out else []
    return {}, []


@contextmanager
def _collected(faults: list[HarnessError]) -> Iterator[None]:
    """One form that fails does not cost the others."""
    try:
        yield
    except HarnessError as error:
        faults.append(error)


def _whole_fault(faults: Sequence[HarnessError], written: Sequence[Path]) -> HarnessError:
    sentences = "; ".join(one.sentence for one in faults)
    return HarnessError(f"{sentences}; written all the same: {', '.join(map(str, written))}")


def _check_places(trends: Trends, targets: Targets) -> None:
    """No form may take the place of another, or of the history."""
    figures = figure_files(trends, targets.figures) if targets.figures is not None else []
    places = Counter(map(_place, (targets.page, *targets.twins.values(), *figures)))
    path, count = places.most_common(1)[0]
    if count > 1:
        raise ConfigError(f"{count} forms of the report would be one file", where=path, remedy="name each its own")
    if targets.history is not None:
        kept = _place(targets.history)
        for path in (kept, *(f"{kept}{end}" for end in SQLITE_ENDS)):
            if path in places:
                raise ConfigError("the report would take the place of the history", where=path, remedy="name another")


def _place(path: Path) -> str:
    """Behind links and `..`: two names of one file are one place."""
    return os.path.realpath(path)
