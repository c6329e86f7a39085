"""Which rows nobody beats in everything, and which one to take. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.optimise.rows import ALIVE, LATENCY, LOSS, Row

LATENCY_AXIS, SIZE_AXIS, ENERGY_AXIS = "typical_ms", "file_size_mb", "energy_per_frame_mj"
AXES = (LATENCY_AXIS, LOSS, SIZE_AXIS, ENERGY_AXIS)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """Where a row stands. dominated_by: the rows that are no worse in anything and better in something.

    unmet: why it cannot be taken; empty where it can.
    """

    on_front: bool
    dominated_by: tuple[str, ...] = ()
    unmet: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Best:
    """The row to take, or the nearest one. sentence: what is said of it."""

    name: str
    found: bool
    sentence: str


def standings(rows: Sequence[Row], parent: str) -> dict[str, Standing]:
    """Each row's standing, by its name; a row that lacks latency or loss, or is not alive, is on no front.

    The axes are latency, loss, size, and energy where every such row has it; all of them are better where less.
    """
    points = _points(rows)
    found = {}
    for row in rows:
        beaten = tuple(_beaten_by(row.name, points)) if row.name in points else ()
        found[row.name] = Standing(
            on_front=row.name in points and not beaten, dominated_by=beaten, unmet=unmet(row, parent)
        )
    return found


def _points(rows: Sequence[Row]) -> dict[str, tuple[float, ...]]:
    """Name -> what counts, for the rows that can be compared."""
    told = {row.name: {name: value for name in AXES if (value := axis(row, name)) is not None}
            for row in rows if row.alive}  # fmt: skip
    whole = {name: values for name, values in told.items() if {LATENCY_AXIS, LOSS, SIZE_AXIS} <= values.keys()}
    axes = [name for name in AXES if all(name in values for values in whole.values())]
    return {name: tuple(values[one] for one in axes) for name, values in whole.items()}


def axis(row: Row, name: str) -> float | None:
    """The row's place on an axis; None where it was not measured."""
    if name == LATENCY_AXIS:
        return row.typical_ms
    if name == LOSS:
        return row.loss.value if row.loss else None
    return row.values.get(name)


def _beaten_by(name: str, points: Mapping[str, tuple[float, ...]]) -> Iterator[str]:
    own = points[name]
    for other, values in points.items():
        if values != own and all(theirs <= mine for theirs, mine in zip(values, own, strict=True)):
            yield other


def unmet(row: Row, parent: str) -> tuple[str, ...]:
    """Every condition that a row fails: measured, alive, loss proven, latency, every other gate, faster than FP32."""
    return tuple(dict.fromkeys(_unmet(row, parent)))


def _unmet(row: Row, parent: str) -> Iterator[str]:
    if row.reason:
        yield row.reason
        return
    if row.candidate == parent:
        yield "it is the parent itself"
    for metric, named in ((ALIVE, "alive outputs"), (LOSS, "the accuracy loss"), (LATENCY, "the latency")):
        yield from _not_passed(row, metric, named)
    for one in row.verdicts:
        if one.gate and not one.passed and one.metric not in (ALIVE, LOSS, LATENCY):
            yield f"{one.metric} is {one.outcome}: {one.sentence}"
    if row.candidate != parent:
        yield from _not_faster(row)


def _not_passed(row: Row, metric: str, named: str) -> Iterator[str]:
    found = row.gates_on(metric)
    if not found:
        yield f"{named} was not judged"
    yield from (f"{named} is {one.outcome}: {one.sentence}" for one in found if not one.passed)


def _not_faster(row: Row) -> Iterator[str]:
    """Proven by the interval: a variant that is no faster is no reason to leave FP32."""
    if row.speedup is None:
        yield "how fast it is beside the parent is not known"
    elif row.speedup.low is None or row.speedup.low <= 1:
        low = "-" if row.speedup.low is None else f"{row.speedup.low:.2f}"
        yield f"not proven faster than the parent: {row.speedup.value:.2f} times, at least {low}"


def best(rows: Sequence[Row], parent: str) -> Best:
    """The fastest row that fails no condition, the smaller one of two as fast; or else the nearest, and why not it."""
    candidates = [row for row in rows if row.candidate != parent]
    able = [row for row in candidates if not unmet(row, parent)]
    if able:
        row = min(able, key=_order)
        return Best(name=row.name, found=True, sentence=_taken(row, len(able)))
    measured = [row for row in candidates if not row.reason]
    if not measured:
        return Best(name="", found=False, sentence="no candidate could be measured")
    row = min(measured, key=lambda one: (len(unmet(one, parent)), *_order(one)))
    reasons = "; ".join(unmet(row, parent))
    return Best(name=row.name, found=False, sentence=f"none can be taken; the nearest is {row.name}, but {reasons}")


def _order(row: Row) -> tuple[float, float, str]:
    places = (axis(row, name) for name in (LATENCY_AXIS, SIZE_AXIS))
    latency, size = (float("inf") if one is None else one for one in places)
    return latency, size, row.name


def _taken(row: Row, able: int) -> str:
    assert row.speedup is not None
    return (
        f"{row.name}: the fastest of {able} that meet every condition, {row.typical_ms:.3g} ms a frame, "
        f"{row.speedup.value:.2f} times as fast as the parent"
    )
