"""The models of a cascade in one process: what each further session costs, alone and with what it may share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from harness.errors import ConfigError
from harness.memory.files import shared_weights
from harness.memory.measuring import Say, Wanted
from harness.memory.rows import Row
from harness.memory.sharing import ONE_FILE, WAYS, WITH_WEIGHTS
from harness.memory.workers import in_turn

SESSIONS = 3
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
MB, MS = 1e6, 1e6


def sharing_rows(wanted: Wanted, runtime: str, beside: Sequence[Path], say: Say) -> list[Row]:
    """A row for each way of the entry's engine. beside: the other models' files; none: the same file three times."""
    own = wanted.file(runtime)
    paths = [own, *beside] if beside else [own] * SESSIONS
    ways = WAYS.get(wanted.profile.engine(runtime), {})
    told, reasons = in_turn(wanted, runtime, {one: partial(_job, wanted, runtime, one, paths) for one in ways}, say)
    return [
        Row(runtime=runtime, name=one, reason=reasons[one]) if one in reasons
        else Row(runtime=runtime, name=one, figures=_figures(told[one], figures_of(len(paths))))
        for one in ways
    ]  # fmt: skip


def figures_of(sessions: int) -> tuple[str, ...]:
    """The names of a row's figures."""
    return (*(f"{one}_mb" for one in ORDINALS[:sessions]), "all_mb", "infer_p50_ms", "cpu_p50_ms")


def _figures(told: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, tuple[float, ...]]:
    rows = [
        [*(one / MB for one in found["grown_bytes"]), sum(found["grown_bytes"]) / MB,
         median(found["wall_ns"]) / MS, median(found["cpu_ns"]) / MS]
        for found in told
    ]  # fmt: skip
    return dict(zip(names, zip(*rows, strict=True), strict=True))


def _job(wanted: Wanted, runtime: str, way: str, paths: Sequence[Path]) -> dict[str, Any]:
    if way in ONE_FILE and len(set(paths)) > 1:
        raise ConfigError("these are different files, and each needs its own", where=way)
    return {
        "kind": "sharing", "engine": wanted.profile.engine(runtime), "way": way, "paths": [str(one) for one in paths],
        "options": wanted.profile.engine_options(runtime),
        "weights": _weights(wanted, runtime, paths) if way in WITH_WEIGHTS else "",
    }  # fmt: skip


def _weights(wanted: Wanted, runtime: str, paths: Sequence[Path]) -> str:
    target = wanted.folder / "work" / f"{runtime}-shared.npz"
    target.parent.mkdir(parents=True, exist_ok=True)
    if not shared_weights(paths, target):
        raise ConfigError(
            f"the {len(set(paths))} files hold no weight in common", where=", ".join(one.name for one in paths),
            remedy="only models with the same trunk, under the same names, can share weights",
        )  # fmt: skip
    return str(target.absolute())
