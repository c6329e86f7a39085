"""Baseline files on the disk: old or new, never none, whatever happens meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from harness.baseline.check import REMEDY, fault, parse_baseline
from harness.baseline.layout import Baseline, BaselineError, baseline_text
from harness.case import Case
from harness.files import replace_in_order

PREVIOUS = ".previous.json"


def baseline_path(folder: Path, case: Case) -> Path:
    """Where the baseline of a case lies; BaselineError where its names, or links in `folder`, lead elsewhere."""
    path = folder.joinpath(case.device, case.model, f"{case.variant}.{case.runtime}.json")
    names = (case.device, case.model, case.variant, case.runtime)
    strange = any(not name.strip(".") or set(name) & set("/\\\0") for name in names) or path.name.endswith(PREVIOUS)
    if strange or not Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder)):
        what = f"{case.key!r} cannot name a file in the folder of baselines"
        raise BaselineError(what, where=str(folder), remedy="use letters, digits, . _ - and no links")
    return path


def read_baseline(path: Path) -> Baseline | None:
    """The accepted baseline, None where there is no file; BaselineError where it cannot be trusted."""
    content = _content(path)
    return None if content is None else _trusted(content, path, path)


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Write `baseline`; what was there becomes the previous one.

    BaselineError, and nothing is changed, for a baseline that could not be read again, and where the disk refuses.
    """
    content = _new_content(path, baseline)
    now = _content(path)
    before = {} if now is None else {previous_path(path): now}
    try:
        replace_in_order({**before, path: content})
    except OSError as error:
        raise _not_written(path, error) from error


def revert_baseline(path: Path) -> None:
    """Swap the baseline and the previous one; BaselineError, and nothing is changed, where either cannot be had.

    Killed half way, it has gone back or not, and the next call ends what this one began.
    """
    previous, aside = previous_path(path), _aside(path)
    now, before = _content(path), _content(previous)
    if now is None or before is None:
        what = "there is no previous baseline" if before is None else "there is no baseline to go back from"
        raise BaselineError(what, where=str(previous if before is None else path), remedy="restore it from git")
    _trusted(before, path, previous)
    try:
        if not (aside.is_file() and now == before):
            replace_in_order({aside: now, path: before})
        aside.replace(previous)
    except OSError as error:
        raise _not_written(path, error) from error


def previous_path(path: Path) -> Path:
    """Where the baseline before this one is kept."""
    return path.with_suffix(PREVIOUS)


def _aside(path: Path) -> Path:
    """What a revert that was killed half way would have lost."""
    return path.with_name(f".{path.name}.reverting")


def _content(path: Path) -> bytes | None:
    """The bytes of a file, None where there is none; BaselineError for links, folders, pipes, what nobody may read."""
    try:
        if path.is_symlink() or (path.exists() and not path.is_file()):
            raise BaselineError("no regular file, but a link, folder or device", where=str(path), remedy=REMEDY)
        return path.read_bytes() if path.exists() else None
    except OSError as error:
        raise BaselineError(f"cannot be read: {error.strerror or error}", where=str(path), remedy=REMEDY) from error


def _trusted(content: bytes, path: Path, place: Path) -> Baseline:
    """The baseline that `content`, found at `place`, holds for the case that `path` names."""
    try:
        baseline = parse_baseline(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise fault("not UTF-8 text", content.count(b"\n", 0, error.start) + 1).placed(str(place)) from error
    except BaselineError as error:
        raise error.placed(str(place)) from error
    case = baseline.case
    if path.parts[-3:] != (case.device, case.model, f"{case.variant}.{case.runtime}.json"):
        what = f"it was accepted for {case.key} and stands under another name"
        raise BaselineError(what, where=str(place), remedy="accept a baseline for this case")
    return baseline


def _new_content(path: Path, baseline: Baseline) -> bytes:
    try:
        content = baseline_text(baseline).encode()
    except (ValueError, OverflowError, TypeError) as error:
        raise BaselineError(f"this cannot become a baseline: {error}", where=str(path)) from error
    _trusted(content, path, path)
    return content


def _not_written(path: Path, error: OSError) -> BaselineError:
    what = f"the baseline cannot be written: {error.strerror or error}"
    return BaselineError(what, where=str(path), remedy="free space there; the file before it is unharmed")
