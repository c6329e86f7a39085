"""The console command `harness fusion`: which convolutions each engine runs together with what follows them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError, HarnessError, printable, unknown
from harness.files import write_atomically

if TYPE_CHECKING:
    from harness.model import ModelCard
    from harness.profile import DeviceProfile

MODELS, DEVICES = Path("suites/models"), Path("devices")
UNKNOWN = 1


def add_fusion_command(commands: Any) -> None:
    """The command `harness fusion`."""
    what = "say which convolutions of a model each engine runs together with their activation, and which not and why"
    ends = "The exit status is 1 where an engine does not tell it of any file."
    parser = commands.add_parser("fusion", help=what, description=f"{what}. {ends}")
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("--variant", default="", help="this one alone (default: all)")
    parser.add_argument("--device", default="host", help="its engines are asked (default: %(default)s)")
    parser.add_argument(
        "--layers", default="", metavar="FILE", help="what trtexec --exportLayerInfo wrote, for TensorRT"
    )
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write it as JSON, layer by layer")
    parser.set_defaults(command=_fusion)


def _fusion(parsed: argparse.Namespace) -> tuple[str, int]:
    from harness.model import find_cards
    from harness.profile import read_profile

    profile = read_profile(parsed.device, DEVICES)
    told = [one for card in find_cards([parsed.model], MODELS) for one in _told(card, profile, parsed)]
    lines = [f"{one['file']}: {one['sentence']}" for one in told]
    if parsed.json:
        text = json.dumps(told, indent=1, allow_nan=False) + "\n"
        lines.append(str(write_atomically(parsed.json, text, option="--json")))
    return "\n".join(map(printable, lines)), UNKNOWN if any("fused" not in one for one in told) else 0


def _told(card: ModelCard, profile: DeviceProfile, parsed: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Every file that a runtime of the device takes, with what its engine fused or why that is not known."""
    from harness.prepare import file_format

    if parsed.variant and parsed.variant not in card.variants:
        raise ConfigError(unknown("variant", parsed.variant, card.variants), where="--variant")
    for variant in [parsed.variant] if parsed.variant else card.variants:
        for runtime in profile.runtimes:
            if form := file_format(profile, card, variant, runtime):
                path, engine = card.file(variant, form), profile.engine(runtime)
                options = profile.engine_options(runtime) | ({"layers": parsed.layers} if parsed.layers else {})
                yield {"model": card.name, "variant": variant, "runtime": runtime, "file": f"{card.name}/{path.name}",
                       **_facts(path, engine, options)}  # fmt: skip


def _facts(path: Path, engine: str, options: dict[str, Any]) -> dict[str, Any]:
    from dataclasses import asdict

    from harness.variants.fusion import fusion

    try:
        found = fusion(path, engine, options)
    except HarnessError as error:
        return {"sentence": f"{engine}: {error.sentence}"}
    return {**found.facts(), "layers": [asdict(one) for one in found.layers]}
