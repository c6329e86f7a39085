"""Views that need no choice: each variant against FP32, devices beside their floor, engines beside each other. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

from harness.trendreport.cells import MISSING, number, ratio
from harness.trendreport.model import Table, Trends, Views
from harness.trendreport.views.conditions import remarks, same_device, same_engine, same_method
from harness.trendreport.views.newest import NOTES, Newest, newest_of, titled
from harness.trendreport.views.pareto import charts_of

PARENT = "fp32"
UNLIKE = "!"
BUDGETED, LOSS = "frame_p99_ms", "accuracy_loss_points"
AGAINST_PARENT = ("infer_p50_ms", "file_size_mb")
MEASURED = ("infer_p50_ms", "frame_p50_ms", "frame_p99_ms")
HEADS = {
    "accuracy_min_percent": "accuracy %", "load_ms": "load ms", "infer_p50_ms": "infer p50 ms",
    "frame_p50_ms": "frame p50 ms", "frame_p99_ms": "P99 ms", "file_size_mb": "size MB",
    "peak_memory_mb": "peak MB", "energy_per_frame_mj": "mJ/frame",
}  # fmt: skip
VARIANTS = ("accuracy_min_percent", *MEASURED, "file_size_mb", "peak_memory_mb", "energy_per_frame_mj")
ENGINES = ("accuracy_min_percent", "load_ms", *MEASURED, "peak_memory_mb", "energy_per_frame_mj")
VARIANTS_NOTE = (
    "loss, faster, smaller: against the parent that the variant was made from, which the remarks name where it is not "
    "the first of its group; loss: points of accuracy; faster: the parent's infer p50 over this one's; smaller: its "
    f"size over this one's; {UNLIKE}: against a parent under other conditions, see the remarks"
)
DEVICES_NOTE = (
    "budget: of the P99, from the device's profile or the model's card; floor: roofline of the file at the precision "
    "that it and its entry allow, no schedule of its multiply-adds is faster; x floor: infer p50 over it"
)
ENGINES_NOTE = "behind: infer p50 over that of the fastest engine here"


def views_of(trends: Trends, floors: Mapping[str, float], parents: Mapping[str, str] | None = None) -> Views:
    """All comparison views; floors: case key -> roofline floor in ms; parents: case key -> what it was made from.

    Values that nobody measured are "-". A variant of which nobody tells its parent is compared with FP32.
    """
    cases = newest_of(trends, parents or {})
    tables: list[Table] = []
    for model, members in groupby(sorted(cases, key=lambda one: one.case.model), key=lambda one: one.case.model):
        rows = list(members)
        tables += [_variants(model, rows), _devices(model, rows, floors), _engines(model, rows)]
    return Views(tables=tuple(table for table in tables if table.rows), charts=charts_of(cases))


def _variants(model: str, rows: Sequence[Newest]) -> Table:
    """One row per case, the parent above its variants; nothing where a model has only one variant."""
    several = len({one.case.variant for one in rows}) > 1
    groups = _grouped(rows, _place, _parent_first) if several else []
    parents = ", ".join(dict.fromkeys(group[0].case.variant for group in groups))
    return Table(
        title=titled(f"{model}: variants against {parents}", rows),
        columns=("variant", "device", "engine", *(HEADS[one] for one in VARIANTS), "loss", "faster", "smaller",
                 "session", "remarks"),
        rows=tuple(_variant_row(one, _parent(one, group), group[0]) for group in groups for one in group),
        left=3, notes=(*NOTES, VARIANTS_NOTE),
    )  # fmt: skip


def _parent(one: Newest, group: Sequence[Newest]) -> Newest | None:
    """What the session says that it was made from; the first of the group where it does not; None: not measured."""
    if not one.parent or one is group[0]:
        return group[0]
    return next((other for other in group if other.case.variant == one.parent), None)


def _variant_row(one: Newest, parent: Newest | None, first: Newest) -> tuple[str, ...]:
    differing = same_engine(one, parent) if parent else []
    other = "" if parent is first else f"parent: {one.parent}{'' if parent else ', not measured here'}"
    return (
        one.case.variant, one.case.device, one.engine_cell, *map(one.cell, VARIANTS),
        *_compared(one, parent, UNLIKE if differing else ""), _day(one),
        "; ".join(filter(None, [other, remarks(one, differing, one.parent or first.case.variant)])),
    )  # fmt: skip


def _compared(one: Newest, parent: Newest | None, mark: str) -> tuple[str, str, str]:
    """Loss of accuracy, speed-up and shrink against the parent."""
    if parent is None:
        return (one.cell(LOSS) if LOSS in one.values else MISSING), MISSING, MISSING
    if one is parent:
        return MISSING, MISSING, MISSING
    faster, smaller = (ratio(parent.values.get(metric), one.values.get(metric)) for metric in AGAINST_PARENT)
    loss = _loss(one, parent, mark)
    return loss, _marked(faster, mark), _marked(smaller, mark)


def _loss(one: Newest, parent: Newest, mark: str) -> str:
    """As it was judged, frame by frame beside the parent; otherwise the difference of two accuracies."""
    if LOSS in one.values and one.parent in ("", parent.case.variant):
        return one.cell(LOSS)
    before, now = (side.values.get("accuracy_min_percent") for side in (parent, one))
    return MISSING if before is None or now is None else _marked(number(round(before - now, 6)), mark)


def _marked(cell: str, mark: str) -> str:
    return cell if cell == MISSING else f"{cell}{mark}"


def _devices(model: str, rows: Sequence[Newest], floors: Mapping[str, float]) -> Table:
    """One row per case; nothing where one device has neither budget nor floor to stand beside."""
    several = len({one.case.device for one in rows}) > 1
    beside = several or any(one.limits.get(BUDGETED) or one.case.key in floors for one in rows)
    groups = _grouped(rows, lambda one: (one.case.variant,), lambda one: (one.case.device, one.case.runtime))
    found = [(one, _newest_real(group)) for group in groups for one in group] if beside else []
    return Table(
        title=titled(f"{model}: devices beside budget and floor", [one for one, _ in found]),
        columns=("variant", "device", "engine", "frame p50 ms", "P99 ms", "P99 budget ms", "infer p50 ms", "floor ms",
                 "x floor", "session", "remarks"),
        rows=tuple(_device_row(one, reference, floors) for one, reference in found),
        left=3, notes=(*NOTES, DEVICES_NOTE),
    )  # fmt: skip


def _device_row(one: Newest, reference: Newest, floors: Mapping[str, float]) -> tuple[str, ...]:
    floor = None if one.simulated else floors.get(one.case.key)
    return (
        one.case.variant, one.case.device, one.engine_cell, one.cell("frame_p50_ms"), one.cell(BUDGETED), _budget(one),
        one.cell("infer_p50_ms"), number(floor), ratio(one.values.get("infer_p50_ms"), floor), _day(one),
        remarks(one, same_method(one, reference), f"the session of {_named(reference)}"),
    )  # fmt: skip


def _budget(one: Newest) -> str:
    """The gate; otherwise the advice."""
    limits = sorted(one.limits.get(BUDGETED, ()), key=lambda limit: (not limit.gate, limit.limit))
    return MISSING if not limits else f"{limits[0].limit:g}{'' if limits[0].gate else ' (advice)'}"


def _engines(model: str, rows: Sequence[Newest]) -> Table:
    """One row per case of a variant that several engines of a device ran."""
    groups = _grouped(rows, lambda one: (one.case.device, one.case.variant), lambda one: (one.case.runtime,))
    found = [(one, group) for group in groups if len(group) > 1 for one in group]
    return Table(
        title=titled(f"{model}: engines side by side", [one for one, _ in found]),
        columns=("variant", "device", "engine", *(HEADS[one] for one in ENGINES), "behind", "session", "remarks"),
        rows=tuple(_engine_row(one, group) for one, group in found),
        left=3, notes=(*NOTES, ENGINES_NOTE),
    )  # fmt: skip


def _engine_row(one: Newest, group: Sequence[Newest]) -> tuple[str, ...]:
    fastest = min((other.values["infer_p50_ms"] for other in group if "infer_p50_ms" in other.values), default=None)
    reference = _newest_real(group)
    return (
        one.case.variant, one.case.device, one.engine_cell, *map(one.cell, ENGINES),
        ratio(one.values.get("infer_p50_ms"), fastest), _day(one),
        remarks(one, same_device(one, reference), reference.case.runtime),
    )  # fmt: skip


Key = Callable[[Newest], tuple[str | bool, ...]]


def _grouped(rows: Iterable[Newest], key: Key, order: Key) -> list[list[Newest]]:
    """Groups by `key`, in its order, each sorted by `order`."""
    ordered = sorted(rows, key=lambda one: (key(one), order(one)))
    return [list(members) for _, members in groupby(ordered, key=key)]


def _place(one: Newest) -> tuple[str, str]:
    return one.case.device, one.case.runtime


def _parent_first(one: Newest) -> tuple[bool, str]:
    return one.case.variant != PARENT, one.case.variant


def _newest_real(group: Sequence[Newest]) -> Newest:
    """What the others' conditions are compared with: the newest that is valid and no simulation, if there is one."""
    return max(group, key=lambda one: (one.valid, not one.simulated, one.at, one.case.key))


def _named(one: Newest) -> str:
    return f"{one.case.device}/{one.case.runtime}"


def _day(one: Newest) -> str:
    return one.at[:10]
