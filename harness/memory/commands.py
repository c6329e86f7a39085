"""The console command `harness memory`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, unknown

if TYPE_CHECKING:
    from harness.memory.measuring import Wanted
    from harness.model import ModelCard

OUT = Path("reports/memory")
PROCESSES = 5
Say = Callable[[str], None]


def add_memory_command(commands: Any, say: Say) -> None:
    """The command `harness memory`; `say` takes what a person should read while it runs."""
    what = "compare what the engines offer to save memory, and what it costs"
    ends = "The exit status is 1 where nothing could be measured."
    parser = commands.add_parser("memory", help=what, description=f"{what}. {ends}")
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("--variant", default="fp32", help="of its card (default: %(default)s)")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--plan", default="standard", help="how long each process measures (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=PROCESSES, metavar="N",
                        help="fresh ones of each row; 4 at least tell noise (default: %(default)s)")  # fmt: skip
    parser.add_argument("--parts", default="", metavar="NAMES",
                        help="settings, sharing, batches (default: all)")  # fmt: skip
    parser.add_argument("--beside", default="", metavar="MODELS",
                        help="of the same cascade, for sharing (default: the model itself, three times)")  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="(default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _memory(parsed, say))


def _memory(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.memory.report import text, write_found
    from harness.memory.run import PARTS, find_out

    parts = _named(parsed.parts) or list(PARTS)
    for one in parts:
        if one not in PARTS:
            raise ConfigError(unknown("part", one, PARTS), where="--parts")
    if parsed.processes < 1:
        raise ConfigError(f"--processes={parsed.processes}: at least 1", where="--processes")
    wanted, beside = _wanted(parsed), _cards(_named(parsed.beside))
    found = find_out(wanted, parts, beside, say)
    written = write_found(found, wanted.folder)
    return "\n".join([text(found), *(f"written: {one}" for one in written)]), int(not found.measured)


def _wanted(parsed: argparse.Namespace) -> Wanted:
    from harness.identity import require_present
    from harness.memory.measuring import Wanted
    from harness.plans import plan_named
    from harness.profile import read_profile

    root = Path.cwd()
    profile = read_profile(parsed.device, root / "devices")
    profile.require_here("harness memory")
    (card,) = _cards([parsed.model])
    if parsed.variant not in card.variants:
        raise ConfigError(unknown("variant", parsed.variant, card.variants), where=str(card.folder / "model.toml"))
    wanted = Wanted(
        profile=profile, card=card.model_copy(update={"variants": {parsed.variant: card.variants[parsed.variant]}}),
        variant=parsed.variant, plan=plan_named(parsed.plan, profile.judges_speed), rounds=parsed.processes,
        folder=(parsed.out / profile.name / card.name).absolute(), cache=root / ".cache" / "dms-harness", root=root,
    )  # fmt: skip
    if not wanted.runtimes:
        raise ConfigError(
            f"no runtime of {profile.name} takes a file of {card.name}/{parsed.variant}", where=profile.file,
            remedy="list a file in a format that a runtime takes",
        )  # fmt: skip
    require_present(profile, root / "devices", wanted.runtimes)
    return wanted


def _cards(names: list[str]) -> list[ModelCard]:
    from harness.model import find_cards

    return list(find_cards(names, Path.cwd() / "suites" / "models")) if names else []


def _named(text: str) -> list[str]:
    return [one.strip() for one in text.split(",") if one.strip()]
