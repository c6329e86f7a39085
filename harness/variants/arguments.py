"""What the arguments of the commands about variants mean: a card, a device, a bench to work on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, unknown
from harness.files import write_atomically

if TYPE_CHECKING:
    from harness.model import ModelCard
    from harness.profile import DeviceProfile
    from harness.variants import Bench
    from harness.variants.frames import Frames

Say = Callable[[str], None]
MODELS, DEVICES, CACHE = Path("suites/models"), Path("devices"), Path(".cache/dms-harness")


def card_named(name: str) -> ModelCard:
    """The one card that a name or a folder means; ConfigError otherwise."""
    from harness.model import find_cards

    cards = find_cards([name], MODELS)
    if len(cards) != 1:
        raise ConfigError(f"{name!r} holds {len(cards)} models", where="MODEL", remedy="name one of them")
    return cards[0]


def profile_named(device: str) -> DeviceProfile:
    """The device profile; ConfigError for an unknown or a wrong one."""
    from harness.profile import read_profile

    return read_profile(device, DEVICES)


def bench_of(card: ModelCard, variant: str, profile: DeviceProfile, frames: Frames, say: Say) -> Bench:
    """The files of a variant, for the engines of a device; ConfigError for an unknown variant."""
    from harness.runtimes import FORMATS
    from harness.variants import Bench

    one_of("variant", variant, tuple(card.variants))
    engines = tuple(dict.fromkeys(profile.engine(one) for one in profile.runtimes))
    return Bench(
        card=card, files={form: card.file(variant, form) for form in card.variants[variant].files}, engines=engines,
        formats=tuple(dict.fromkeys(form for engine in engines for form in FORMATS[engine])),
        folder=CACHE, cache=CACHE / "variants", frames=frames, say=say,
    )  # fmt: skip


def one_of(kind: str, name: str, known: tuple[str, ...]) -> str:
    """The name, or the first of `known` where it is empty; ConfigError for one that is none of them."""
    if name and name not in known:
        raise ConfigError(unknown(kind, name, known))
    return name or known[0]


def counted(frames: int) -> int:
    """The number of frames; ConfigError below 1."""
    if frames < 1:
        raise ConfigError(f"--frames={frames}: at least one frame is needed", where="--frames")
    return frames


def written(path: Path, facts: Mapping[str, Any]) -> str:
    """The path of the JSON file that now holds the facts; ConfigError where it cannot be written."""
    return str(write_atomically(path, json.dumps(facts, indent=1, allow_nan=False) + "\n", option="--json"))
