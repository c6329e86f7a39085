"""What the sensors told, as tables: energy with its uncertainty, heat and utilisation; and which could not be read."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean

from harness.energy import Energy
from harness.measurement import CAMERA_FPS, Measurement
from harness.report.layout import Row, Table
from harness.report.values import MISSING, case_name, measured_cases, number, titled
from harness.session import Session

ENERGY_NOTE = (
    f"gross: mean while frames ran; net: above idle before and after, +- k = 2; net W: at "
    f"{CAMERA_FPS:g} fps; samples: received of expected, then the longest gap"
)
HEAT_NOTE = (
    "start, end, slope: the hottest place while frames ran; throttled: share of the samples; CPU, GPU, memory "
    "controller: utilisation, and in brackets the headroom left"
)
SLOPE = "temperature_slope_c_per_min"
UTILISATION = {
    "CPU %": "cpu_utilisation_percent", "GPU %": "gpu_utilisation_percent",
    "mem. controller %": "memory_controller_percent",
}  # fmt: skip


def energy_table(session: Session) -> Table:
    """One row per case whose energy was asked for."""
    rows = [(one, _energy_row(one)) for one in measured_cases(session) if one.energies]
    scopes = dict.fromkeys(f"{one.rule.name} ({one.rule.scope})" for measured, _ in rows
                           for one in measured.energies if isinstance(one, Energy))  # fmt: skip
    return Table(
        title=titled(session, "Power and energy"),
        columns=("case", "idle W", "gross W", "peak W", "gross mJ/frame", "net mJ/frame", "net W", "fps/W", "samples"),
        groups=(("", tuple(row for _, row in rows)),),
        notes=(ENERGY_NOTE, *(f"power: {one}" for one in scopes)),
    )


def heat_table(session: Session) -> Table:
    """One row per case with a temperature or a utilisation."""
    rows = [_heat_row(one) for one in measured_cases(session)]
    return Table(
        title=titled(session, "Heat and utilisation"),
        columns=("case", "start C", "end C", "C/min", "throttled %", *UTILISATION),
        groups=(("", tuple(row for row in rows if set(row[1:]) != {MISSING})),),
        notes=(HEAT_NOTE,),
    )


def silent_sensors(session: Session) -> list[str]:
    """A sentence about the sensors that the profile names and that could not be opened."""
    runs = [run for measured in measured_cases(session) for run in measured.runs]
    missing = dict.fromkeys(trace.probe for run in runs for trace in run.traces if trace.missing)
    device = session.setup.profile.name.partition("@")[0]
    return [f"not to be read here: {', '.join(missing)}; harness doctor --device={device} says why"] if missing else []


def _energy_row(measured: Measurement) -> Row:
    """Means over the sessions, each with the largest uncertainty of any; nothing where one of them has no energy."""
    known = [one for one in measured.energies if isinstance(one, Energy)]
    if measured.power_fault or not known or measured.net_power_w is None:
        return (case_name(measured.case), *[MISSING] * 7, measured.power_fault)
    worst = max(known, key=lambda one: one.net_u_mj)

    def average(of: Callable[[Energy], float]) -> float:
        return mean(map(of, known))

    peaks = [one.peak_w for one in known if one.peak_w is not None]
    resolved = all(one.resolved for one in known)
    return (
        case_name(measured.case), number(average(lambda one: one.idle_w)), number(average(lambda one: one.mean_w)),
        number(max(peaks, default=None)),
        _pm(average(lambda one: one.gross_mj), max(one.gross_u_mj for one in known)),
        _pm(average(lambda one: one.net_mj), worst.net_u_mj) if resolved else "below resolution",
        _pm(*measured.net_power_w), number(measured.value("fps_per_w")),
        f"{worst.received}/{worst.expected}, {worst.longest_gap_s:.2f} s",
    )  # fmt: skip


def _heat_row(measured: Measurement) -> Row:
    shown = (measured.value(metric) for metric in UTILISATION.values())
    return (
        case_name(measured.case), number(measured.value("temperature_start_c")),
        number(measured.value("temperature_end_c")), number(measured.value(SLOPE)),
        number(measured.value("throttled_share_percent")),
        *(MISSING if one is None else f"{one:.0f} ({100 - one:.0f})" for one in shown),
    )  # fmt: skip


def _pm(value: float, uncertainty: float) -> str:
    return f"{number(value)} +- {number(uncertainty)}"
