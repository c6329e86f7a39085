"""The console command `harness`: what is not a measurement."""

from __future__ import annotations

import argparse
import getpass
import os
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.board.link import links
from harness.boardcommands import add_board_command
from harness.checkrunner import add_check_runner_command
from harness.compare import add_compare_command
from harness.confidences import add_confidence_command
from harness.devicelist import add_devices_command
from harness.errors import BusyError, ConfigError, HarnessError, InfraError, printable
from harness.eventscores.commands import add_events_command
from harness.fleet.commands import add_fleet_commands, add_nightly_command
from harness.floor import add_floor_command
from harness.history import DEFAULT_LOCATION
from harness.history.commands import add_annotate_command, add_history_commands
from harness.interference.command import add_interference_command
from harness.memory.commands import add_memory_command
from harness.optimise.commands import add_optimize_command
from harness.overlapcommand import add_overlap_command
from harness.powermodes.command import add_power_modes_command
from harness.rejudge import add_replay_command
from harness.signals import EndedError
from harness.toolreport import add_tool_output_command
from harness.trendreport.commands import add_report_command, add_serve_command
from harness.trends import add_changes_command
from harness.unattended.commands import add_junit_command, add_quarantine_command
from harness.variants.commands import add_layers_command, add_sensitivity_command
from harness.variants.export.commands import add_export_command
from harness.variants.fusion.commands import add_fusion_command

if TYPE_CHECKING:
    from harness.session import Session

CONFIG_STATUS, INFRA_STATUS, BUSY_STATUS = 4, 6, 75


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status is 0, 1 where it refused something.

    With a sentence on standard error: 4, 6 where the lab is to blame, 75 where somebody else uses the device, and
    128 + the number of the signal that ended it.
    """
    parsed = _parser().parse_args(arguments)
    try:
        with links():
            answer: str | tuple[str, int] = parsed.command(parsed)
    except HarnessError as error:
        sys.stderr.write(f"harness: {error.sentence}\n")
        return _status_of(error)
    except KeyboardInterrupt as error:
        ended = error if isinstance(error, EndedError) else EndedError(signal.SIGINT)
        sys.stderr.write(f"harness: {ended}; what was measured whole is in the history\n")
        return ended.status
    text, status = (answer, 0) if isinstance(answer, str) else answer
    sys.stdout.write(text + "\n")
    return status


def _status_of(error: HarnessError) -> int:
    if isinstance(error, BusyError):
        return BUSY_STATUS
    return INFRA_STATUS if isinstance(error, InfraError) else CONFIG_STATUS


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness", description="Benchmark and regression harness for driver-monitoring models. "
        "Measuring is pytest's job: pytest suites/ --device=NAME",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"dms-harness {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_add_model(commands)
    add_devices_command(commands)
    add_board_command(commands)
    _add_doctor(commands)
    _add_plot(commands)
    _add_accept(commands)
    add_optimize_command(commands, _say)
    add_compare_command(commands)
    add_replay_command(commands)
    add_changes_command(commands)
    add_floor_command(commands)
    add_tool_output_command(commands)
    add_check_runner_command(commands)
    add_history_commands(commands)
    add_annotate_command(commands)
    add_report_command(commands)
    add_serve_command(commands, _say)
    add_memory_command(commands, _say)
    add_interference_command(commands, _say)
    add_power_modes_command(commands, _say)
    add_events_command(commands, _say)
    add_overlap_command(commands, _say)
    add_confidence_command(commands, _say)
    add_sensitivity_command(commands, _say)
    add_layers_command(commands, _say)
    add_export_command(commands, _say)
    add_fusion_command(commands)
    add_fleet_commands(commands, _say)
    add_nightly_command(commands, _say)
    add_quarantine_command(commands)
    add_junit_command(commands)
    return parser


def _add_add_model(commands: Any) -> None:
    add = commands.add_parser("add-model", help="make a card for a model file (.onnx or .tflite), ready to measure")
    add.add_argument("file", type=Path)
    add.add_argument(
        "--into", type=Path, default=Path("suites/models"), help="folder of model cards (default: %(default)s)"
    )
    add.add_argument("--name", default=None, help="the model's name (default: from the file's name)")
    add.set_defaults(command=_add_model)


def _say(text: str) -> None:
    """What a person should read while a command still runs."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def _add_doctor(commands: Any) -> None:
    doctor = commands.add_parser("doctor", help="say what a device can measure, or why not; exit 0: latency at least")
    doctor.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    doctor.add_argument("--address", default="", help="where the device is, over the profile's value")
    doctor.add_argument(
        "--influence", action="store_true", help="measure what sampling does to latency, and keep it in the history"
    )
    doctor.add_argument("--models", default="", help="the model for --influence (default: the first)")
    doctor.add_argument("--history", default=DEFAULT_LOCATION, help="file, URL or none (default: %(default)s)")
    doctor.set_defaults(command=_doctor)


def _doctor(parsed: argparse.Namespace) -> tuple[str, int]:
    from harness.doctor import diagnose
    from harness.identity import require_board
    from harness.influence import last_influence, measure_influence, remember_influence
    from harness.profile import read_profile

    profile = read_profile(parsed.device, Path("devices"), parsed.address)
    require_board(profile, Path("devices"))
    found = diagnose(profile)
    lines = list(found.lines)
    if parsed.influence:
        session = _session(parsed)
        influence = measure_influence(session)
        remember_influence(influence, session.setup.history, _user())
        lines.append(influence.sentence)
    elif parsed.history != "none" and (known := last_influence(parsed.history, profile.name)):
        lines.append(known)
    return "\n".join(lines), int(not found.able)


def _add_plot(commands: Any) -> None:
    plot = commands.add_parser("plot", help="draw latency, power, temperature and clocks of a recorded session")
    plot.add_argument("session", help="the beginning of its id, see harness history list")
    plot.add_argument("--out", type=Path, default=None, help=".svg, .png, or .json for Perfetto (default: ID.svg)")
    plot.add_argument("--history", default=DEFAULT_LOCATION, help="file or URL (default: %(default)s)")
    plot.set_defaults(command=_plot)


def _plot(parsed: argparse.Namespace) -> str:
    from harness.history import open_history
    from harness.report.perfetto import write_trace
    from harness.report.plots import plot_run

    with open_history(parsed.history, create=False) as history:
        found = history.find(parsed.session, with_runs=True)
    if not found.runs:
        remedy = "choose a newer one: harness history list"
        raise HarnessError("the raw times of this session are no longer kept", where=found.id, remedy=remedy)
    path = parsed.out or Path(f"{found.id[:8]}.svg")
    if path.suffix.lower() not in (".svg", ".png", ".json"):
        raise ConfigError(
            f"--out {path}: nothing can be drawn as {path.suffix!r}", remedy="end it in .svg, .png or .json"
        )
    if path.suffix.lower() == ".json":
        return str(write_trace(found.runs, found.case.key, path))
    return str(plot_run(found.runs[0], f"{found.case.key}, {found.at}", path))


def _add_accept(commands: Any) -> None:
    accept = commands.add_parser("accept", help="measure many sessions and accept them as the baseline")
    accept.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    accept.add_argument("--models", default="", help="names or folders of models, with commas (default: all)")
    accept.add_argument("--reason", default="", help="what changed and why it is right; stands in the file")
    accept.add_argument("--by", default="", help="who accepts (default: the user's name)")
    accept.add_argument("--sessions", type=int, default=12, help="5 at least (default: %(default)s)")
    accept.add_argument(
        "--add", action="store_true", help="beside the accepted sessions, of another unit of the device"
    )
    accept.add_argument("--revert", action="store_true", help="go back to the baseline before; measures nothing")
    accept.add_argument("--history", default=DEFAULT_LOCATION, help="file, URL or none (default: %(default)s)")
    accept.set_defaults(command=_accept)


def _accept(parsed: argparse.Namespace) -> tuple[str, int]:
    from harness import accept
    from harness.history.location import without_passwords

    wanted = accept.Acceptance(reason=parsed.reason, by=parsed.by or _user(), sessions=parsed.sessions, add=parsed.add)
    if not parsed.revert:
        accept.check_acceptance(wanted, os.environ)
    session = _session(parsed)
    if parsed.revert:
        done = accept.revert(session, by=wanted.by, reason=parsed.reason)
    else:
        command = "harness " + shlex.join(map(without_passwords, sys.argv[1:]))
        done = accept.accept(session, wanted, command)
    return accept.summary(done), int(any(one.refusal or one.unkept for one in done))


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())


def _session(parsed: argparse.Namespace) -> Session:
    from harness.identity import require_present, runtimes_in_use
    from harness.pipelinecard import cards_named
    from harness.plans import plan_named
    from harness.prepare import Setup
    from harness.profile import read_profile
    from harness.progress import ProgressLine
    from harness.session import Session

    root = Path.cwd()
    models = [name.strip() for name in parsed.models.split(",") if name.strip()]
    profile = read_profile(parsed.device, root / "devices")
    setup = Setup(
        profile=profile, cards=cards_named(models, root / "suites" / "models"),
        named=bool(models), plan=plan_named("standard", profile.judges_speed), work=root / "reports" / "work",
        root=root, cache=root / ".cache" / "dms-harness", baselines=root / "baselines",
        history="" if parsed.history == "none" else str(parsed.history),
    )  # fmt: skip
    require_present(profile, root / "devices", runtimes_in_use(setup))
    return Session(setup=setup, progress=ProgressLine(sys.stderr))


def _add_model(parsed: argparse.Namespace) -> str:
    from harness.addmodel import add_model, summary

    return summary(add_model(parsed.file, parsed.into, parsed.name))


if __name__ == "__main__":
    sys.exit(main())
