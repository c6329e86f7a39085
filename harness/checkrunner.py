"""Does a program speak the runner protocol of docs/external-runner.md? `harness check-runner CMD [ARGS...]`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, EngineError, printable, unknown
from harness.runnerbench import Bench, NotAskedError, RuleError
from harness.runnerchecks import CHECKS, GATES
from harness.runtimes.external import command_of
from harness.runtimes.runner_child import check_program
from harness.runtimes.runner_client import Deadlines

WIDEST_NAME = 34


@dataclass(frozen=True, kw_only=True)
class Result:
    """One check. outcome: "PASS", "FAIL", or "-" where it was not made; the lines say why."""

    name: str
    outcome: str
    lines: tuple[str, ...] = ()


def add_check_runner_command(commands: Any) -> None:
    """The command `harness check-runner`."""
    parser = commands.add_parser(
        "check-runner", help="test a program that speaks the external runner protocol; exit 1 where a check fails"
    )
    parser.add_argument(
        "--model", default="", help="a model file that it loads (default: a toy network, if it reads those)"
    )
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="as in runner_options")
    parser.add_argument("--only", action="append", default=[], metavar="CHECK", help="this check, and what it needs")
    for name, value in Deadlines()._asdict().items():
        op = name.partition("_")[0]
        parser.add_argument(f"--{op}-deadline", type=float, default=value, metavar="S", help="(default: %(default)g)")
    parser.add_argument("runner", nargs=argparse.REMAINDER, metavar="CMD [ARGS...]")
    parser.set_defaults(command=_check_runner)


def _check_runner(parsed: argparse.Namespace) -> tuple[str, int]:
    command = command_of(tuple(parsed.runner[1:] if parsed.runner[:1] == ["--"] else parsed.runner))
    check_program(command)
    deadlines = Deadlines(parsed.hello_deadline, parsed.load_deadline, parsed.infer_deadline, parsed.bye_deadline)
    deadlines.check()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(command, deadlines, parsed.model, _options(parsed.option), Path(folder))
        results = check_runner(bench, parsed.only)
    return table(results), int(any(one.outcome == "FAIL" for one in results))


def check_runner(bench: Bench, only: Sequence[str] = ()) -> list[Result]:
    """Every check, each with runners of its own; after one that the others need has failed, they are not made.

    only: names of checks, where not all are wanted; those that they need are made too.
    """
    strange = [name for name in only if name not in CHECKS]
    if strange:
        raise ConfigError(unknown("check", strange[0], CHECKS))
    wanted = {name: check for name, check in CHECKS.items() if not only or name in (*only, *GATES)}
    results: list[Result] = []
    for name, check in wanted.items():
        missing = [one.name for one in results if one.name in GATES and one.outcome == "FAIL"]
        told = Result(name=name, outcome="-", lines=(f"needs {missing[0]}",)) if missing else None
        results.append(told or _carried_out(name, check, bench))
    return results


def table(results: Sequence[Result]) -> str:
    """One line per check; under one that failed: what was expected, what came, and what to do."""
    lines = []
    for one in results:
        lines += [f"{one.name:<{WIDEST_NAME}}{one.outcome}", *(f"    {printable(line)}" for line in one.lines)]
    counted = {outcome: sum(one.outcome == outcome for one in results) for outcome in ("PASS", "FAIL", "-")}
    return "\n".join([*lines, "", f"{counted['PASS']} passed, {counted['FAIL']} failed, {counted['-']} not made"])


def _carried_out(name: str, check: Callable[[Bench], None], bench: Bench) -> Result:
    try:
        check(bench)
    except NotAskedError as reason:
        return Result(name=name, outcome="-", lines=(str(reason),))
    except RuleError as found:
        return Result(name=name, outcome="FAIL", lines=_explained(found.expected, found.came, found.remedy))
    except EngineError as error:
        came = f"{error.what} ({error.where})" if error.where else error.what
        expected = (check.__doc__ or "").partition(".")[0].strip()
        return Result(name=name, outcome="FAIL", lines=_explained(expected, came, error.remedy))
    return Result(name=name, outcome="PASS")


def _explained(expected: str, came: str, remedy: str) -> tuple[str, ...]:
    return f"expected  {expected}", f"came      {came}", f"do        {remedy or 'see docs/external-runner.md'}"


def _options(texts: Sequence[str]) -> dict[str, str]:
    found = dict(text.partition("=")[::2] for text in texts)
    if any("=" not in text for text in texts):
        raise ConfigError(f"--option {next(one for one in texts if '=' not in one)!r}: write NAME=VALUE")
    return found
