"""The console commands `harness fleet run`, `harness nightly` and `harness junit`: what they are asked."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import printable
from harness.history import DEFAULT_LOCATION

Say = Callable[[str], None]


def add_run_command(commands: Any, say: Say) -> None:
    """`harness fleet run`, below the commands of `harness fleet`; `say` takes what is said while it runs."""
    what = "run pytest on several boards, one process each, into one history"
    parser = commands.add_parser("run", help=what, description=(
        f"{what}. Exit status: 0 pass, 1 regression or crash, 4 configuration, 5 nothing measured, 6 infrastructure, "
        "75 busy; the worst of all boards."))  # fmt: skip
    parser.add_argument("--devices", required=True, metavar="A,B", help="profiles, or tag=VALUE,count=N of a lab")
    parser.add_argument("--report", type=Path, default=None, metavar="DIR", help="(default: reports/fleet/<time>)")
    _add_common(parser)
    parser.set_defaults(command=lambda parsed: _run(parsed, say))


def add_nightly_command(commands: Any, say: Say) -> None:
    """`harness nightly`; `say` as above."""
    what = "a night: health check, the whole suite under the strict policy, quarantine, resume, one exit code"
    parser = commands.add_parser("nightly", help=what, description=(
        f"{what}. An earlier attempt of the last day that was cut off is gone on with."))  # fmt: skip
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--device", default="", metavar="NAME", help="one board (default: host)")
    which.add_argument("--devices", default="", metavar="A,B", help="profiles, or tag=VALUE,count=N of a lab")
    parser.add_argument(
        "--quarantine", default="", metavar="FILE", help="(default: quarantine.toml, where there is one)"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--resume", type=Path, default=None, metavar="DIR", help="go on with the night in this folder")
    again.add_argument("--fresh", action="store_true", help="go on with nothing")
    _add_common(parser)
    parser.set_defaults(command=lambda parsed: _nightly(parsed, say))


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--retry", type=int, default=0, metavar="N", help="how often a board is tried again, with what "
                        "it finished, where the lab spoiled it; 2 at most (default: %(default)s)")  # fmt: skip
    parser.add_argument("--history", default="", metavar="LOCATION", help="SQLite file, URL of a PostgreSQL database, "
                        f"or none (default: {DEFAULT_LOCATION})")  # fmt: skip
    parser.add_argument("--webhook", default="", metavar="URL", help="whom to tell the end, in the form of Slack "
                        "(default: DMS_WEBHOOK of the environment)")  # fmt: skip
    parser.add_argument("arguments", nargs="*", metavar="-- PYTEST ARGUMENTS", help="such as -- suites/ -k p99")


def add_junit_command(commands: Any) -> None:
    """`harness junit`."""
    what = "rebuild the JUnit file of a session from its case journal, also after a crash"
    parser = commands.add_parser("junit", help=what, description=f"{what}.")
    parser.add_argument("folder", type=Path, help="report folder of the session, or its cases.journal")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="(default: junit.xml beside the journal)"
    )
    parser.set_defaults(command=_junit)


def _run(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.fleet.nights import fleet_run

    return fleet_run(parsed, say)


def _nightly(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.fleet.nights import night

    return night(parsed, say)


def _junit(parsed: argparse.Namespace) -> str:
    from harness.report.casejournal import read_cases
    from harness.report.rebuild import DEFAULT_NAME, summary, write_junit

    journal = read_cases(parsed.folder)
    path = write_junit(journal, parsed.out or journal.path.with_name(DEFAULT_NAME))
    return f"written: {printable(str(path))}: {summary(journal)}"
