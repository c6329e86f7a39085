"""The console command `harness optimize`."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, HarnessError, printable

if TYPE_CHECKING:
    from harness.model import ModelCard
    from harness.optimise.results import Result
    from harness.optimise.wanted import Wanted

ALL = "all"
DEFAULT_OUT, OWN_HISTORY = Path("reports/optimize"), "history.sqlite"
REFUSED = 1
Say = Callable[[str], None]


def add_optimize_command(commands: Any, say: Say) -> None:
    """The command `harness optimize`; `say` takes what a person should read while it runs."""
    what = "make variants of a model, measure each on a device, and take the best"
    ends = "The exit status is 0 where every model got one, 1 where one has none that can be taken."
    parser = commands.add_parser("optimize", help=what, description=f"{what}. {ends}")
    parser.add_argument("models", help="names or folders of models, with commas, or all")
    parser.add_argument("--target", required=True, metavar="DEVICE", help="device profile that the variants are for")
    parser.add_argument("--accuracy-loss", default="1%", metavar="AMOUNT",
                        help="what may be lost, in points of the score (default: %(default)s)")  # fmt: skip
    parser.add_argument("--latency-budget", default="", metavar="TIME",
                        help="P99 of a frame, such as 20ms (default: the device's budget)")  # fmt: skip
    parser.add_argument("--candidates", default="", metavar="NAMES", help="with commas (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is drawn (default: %(default)s)")
    parser.add_argument("--plan", default="standard", help="how long is measured (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=8000, help="labelled frames (default: %(default)s)")
    _add_places(parser)
    parser.set_defaults(command=lambda parsed: _optimize(parsed, say))


def _add_places(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="FOLDER",
                        help="reports, variants, and what was measured so far (default: %(default)s)")  # fmt: skip
    parser.add_argument("--table", type=Path, default=None, metavar="FILE.md",
                        help="the table over all models, in which this platform has a section of its own")  # fmt: skip
    parser.add_argument("--history", default="", metavar="LOCATION",
                        help=f"file, URL or none (default: {OWN_HISTORY} in --out)")  # fmt: skip
    parser.add_argument("--retry", action="store_true", help="try again what failed before, or was disturbed")
    written = parser.add_mutually_exclusive_group()
    written.add_argument("--no-write", action="store_true", help="leave the models' cards alone")
    written.add_argument("--replace", action="store_true", help="write the best over a variant of its name")


def _optimize(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.optimise.table import check_table

    wanted = _wanted(parsed)
    cards, left_out = _cards(parsed.models, wanted)
    if parsed.table:
        check_table(parsed.table)
    _require_device(wanted, cards)
    results, failures = _carried_out(wanted, cards, say, parsed)
    lines = [*left_out, *_table(parsed.table, wanted, results), *(_told(one, wanted) for one in results), *failures]
    refused = failures or any(one.refused or not one.best.found for one in results)
    return "\n".join(map(printable, lines)), REFUSED if refused else 0


def _wanted(parsed: argparse.Namespace) -> Wanted:
    from dataclasses import replace

    from harness.optimise.amounts import milliseconds_of, points_of
    from harness.optimise.candidates import chosen
    from harness.optimise.wanted import Wanted
    from harness.plans import plan_named
    from harness.profile import read_profile

    root = Path.cwd()
    if parsed.frames < 1:
        raise ConfigError(f"--frames={parsed.frames}: accuracy needs labelled frames", where="--frames")
    if parsed.seed < 0:
        raise ConfigError(f"--seed={parsed.seed}: no generator takes a negative seed", where="--seed")
    profile = read_profile(parsed.target, root / "devices")
    out = parsed.out.absolute()
    return Wanted(
        profile=profile, choice=chosen(parsed.candidates), loss_points=points_of(parsed.accuracy_loss),
        latency_ms=milliseconds_of(parsed.latency_budget) if parsed.latency_budget else None,
        plan=replace(plan_named(parsed.plan, profile.judges_speed), accuracy_frames=parsed.frames), out=out,
        cache=root / ".cache" / "dms-harness", root=root, seed=parsed.seed, history=_history(parsed.history, out),
        retry=parsed.retry, command=_command(parsed),
    ).limited()  # fmt: skip


def _history(text: str, out: Path) -> str:
    """Candidates come and go: beside a team's own sessions they would look like cases that are missing ever after."""
    return {"": str(out / OWN_HISTORY), "none": ""}.get(text, text)


def _command(parsed: argparse.Namespace) -> str:
    """With all that decides a measurement."""
    options = {"--target": parsed.target, "--accuracy-loss": parsed.accuracy_loss, "--seed": parsed.seed,
               "--plan": parsed.plan, "--frames": parsed.frames, "--latency-budget": parsed.latency_budget}  # fmt: skip
    said = [str(one) for option, value in options.items() if value != "" for one in (option, value)]
    return shlex.join(["harness", "optimize", parsed.models, *said])


def _cards(text: str, wanted: Wanted) -> tuple[list[ModelCard], list[str]]:
    """The models, and sentences on those of `all` that cannot be optimised; ConfigError for a named one."""
    from harness.model import find_cards
    from harness.optimise.planning import check_wanted

    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError("no model is named", where="MODEL", remedy="name one, or all")
    cards, left_out = find_cards([] if names == [ALL] else names, wanted.root / "suites" / "models"), []
    kept = []
    for card in cards:
        try:
            check_wanted(wanted, card)
            kept.append(card)
        except ConfigError as error:
            if names != [ALL]:
                raise
            left_out.append(f"left out: {error.sentence}")
    if not kept:
        raise ConfigError("; ".join(left_out), where="MODEL")
    return kept, left_out


def _require_device(wanted: Wanted, cards: list[ModelCard]) -> None:
    """This is the device, and the engines are here."""
    from harness.identity import require_present
    from harness.optimise.wanted import runtimes_for

    used = dict.fromkeys(runtime for card in cards for runtime in runtimes_for(wanted.profile, card))
    require_present(wanted.profile, wanted.root / "devices", list(used))


def _carried_out(
    wanted: Wanted, cards: list[ModelCard], say: Say, parsed: argparse.Namespace
) -> tuple[list[Result], list[str]]:
    """What was found of each model, its report written as soon as it is known; and why another one has none."""
    from harness.optimise.models import optimise

    results, failures = [], []
    for found in optimise(wanted, cards, say, write=not parsed.no_write, over=parsed.replace):
        if isinstance(found, HarnessError):
            failures.append(found.sentence)
        else:
            results.append(found)
    return results, failures


def _table(path: Path | None, wanted: Wanted, results: list[Result]) -> list[str]:
    from harness.optimise.results import results_in
    from harness.optimise.table import write_table

    if path is None or not results:
        return []
    known, unread = results_in(wanted.out / wanted.profile.name)
    here = [one for one in known if one.machine == results[0].machine]
    return [f"written: {write_table(path, here)}", *(f"not in the table: {one}" for one in unread)]


def _told(result: Result, wanted: Wanted) -> str:
    folder = wanted.out / result.device / result.model
    return f"{result.model}: {result.best.sentence}; {result.adopted}; {folder / 'report.html'}"
