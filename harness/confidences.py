"""The console command `harness confidence`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, unknown

TUNING_FRAMES = 1_500
Say = Callable[[str], None]


def add_confidence_command(commands: Any, say: Say) -> None:
    """The command `harness confidence`; `say` takes what a person should read while it runs."""
    what = "how far the confidences of a model's variants can be believed, before and after temperature scaling"
    parser = commands.add_parser("confidence", help=what)
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("--variant", default="", metavar="NAMES", help="with commas (default: all)")
    parser.add_argument("--device", default="host", help="whose runtimes are asked (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=TUNING_FRAMES,
                        help="labelled frames to judge on (default: %(default)s)")  # fmt: skip
    parser.set_defaults(command=lambda parsed: _confidence(parsed, say))


def _confidence(parsed: argparse.Namespace, say: Say) -> str:
    from harness.identity import require_board
    from harness.model import find_cards
    from harness.profile import read_profile
    from harness.variants.frames import Frames
    from harness.variants.study.confidence_table import find_out, said

    root = Path.cwd()
    if parsed.frames < 1:
        raise ConfigError(f"--frames={parsed.frames}: at least 1", where="--frames")
    profile = read_profile(parsed.device, root / "devices")
    profile.require_here("harness confidence")
    require_board(profile, root / "devices")
    (card,) = find_cards([parsed.model], root / "suites" / "models")
    variants = [one.strip() for one in parsed.variant.split(",") if one.strip()] or list(card.variants)
    for one in variants:
        if one not in card.variants:
            raise ConfigError(unknown("variant", one, card.variants), where=str(card.folder / "model.toml"))
    frames = Frames(card=card, cache=root / ".cache" / "dms-harness", tuning_frames=parsed.frames, say=say)
    return said(card, find_out(card, profile, variants, frames, say))
