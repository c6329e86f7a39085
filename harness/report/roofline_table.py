"""Each measured case beside its roofline floor, where the device profile has the facts for one."""

from __future__ import annotations

from typing import Any

from harness.casefloor import case_floor, facts_text, floor_values
from harness.errors import HarnessError
from harness.measurement import Measurement
from harness.report.layout import Row, Table
from harness.report.values import measured_cases, number, simulated, titled
from harness.roofline import Multiple, has_facts
from harness.session import Session

COLUMNS = ("case", "MMACs", "weights MB", "precision", "bound", "floor ms", "infer p50 ms", "multiple")
NOTE = (
    "floor: no schedule of the file's multiply-adds is faster on this device, weights, input and output passing its "
    "memory once per frame; >=: more than that, some operators are not counted; *: a fact is missing, see "
    "harness floor"
)


def roofline_table(session: Session) -> Table:
    """One row per measured case that has a floor; none where the profile gives no facts."""
    found = [(one, multiple_of(session, one)) for one in measured_cases(session)]
    rows = tuple(_row(measured, known) for measured, known in found if known is not None)
    below = (known.sentence for _, known in found if known and known.value is not None and known.value < 1)
    return Table(
        title=titled(session, "Roofline"),
        columns=COLUMNS,
        groups=(("", rows),),
        notes=(NOTE, f"facts: {facts_text(session.setup.profile.facts)}", *_short(session), *dict.fromkeys(below)),
    )


def roofline_values(session: Session, measured: Measurement) -> dict[str, Any] | None:
    """The same for results.json; None where there is no floor."""
    found = multiple_of(session, measured)
    return None if found is None else floor_values(found)


def multiple_of(session: Session, measured: Measurement) -> Multiple | None:
    """The measured p50 of `infer` beside the floor; None without facts, and where nothing real ran.

    A file that has gone or changed since it was measured has no floor either.
    """
    profile, card = session.setup.profile, session.cases.get(measured.case)
    if card is None or simulated(measured) or not has_facts(profile.facts):
        return None
    try:
        floor = case_floor(profile, card, measured.case, measured.facts)
    except HarnessError:
        return None
    return None if floor is None or floor.ms is None else Multiple(floor, measured.value("infer_p50_ms"))


def _short(session: Session) -> tuple[str, ...]:
    plan = session.setup.plan
    return () if plan.judges_speed else (f"the plan {plan.name} is too short for the multiple to say much",)


def _row(measured: Measurement, found: Multiple) -> Row:
    floor, case = found.floor, measured.case
    least = ">=" if floor.network.uncounted else ""
    return (
        f"{case.model}/{case.variant}/{case.runtime}", f"{least}{floor.network.macs / 1e6:.1f}",
        number(floor.network.parameter_bytes / 1e6), "+".join(floor.precisions) or "-", floor.bound or "-",
        f"{floor.ms:.3g}{'*' if floor.missing else ''}", number(found.measured_ms),
        "-" if found.value is None else f"{found.value:.3g}",
    )  # fmt: skip
