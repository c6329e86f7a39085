"""The console commands `harness sensitivity` and `harness layers`: which layer suffers, where a variant goes wrong."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError
from harness.variants.arguments import CACHE, Say, bench_of, card_named, counted, one_of, profile_named, written

if TYPE_CHECKING:
    from harness.model import ModelCard
    from harness.profile import DeviceProfile

OUTSIDE = 1
TUNING_FRAMES, LAYER_FRAMES = 1_500, 32


def add_sensitivity_command(commands: Any, say: Say) -> None:
    """The command `harness sensitivity`; `say` takes what a person should read while it runs."""
    what = "rank the layers of a model by what INT8 in each of them alone costs"
    parser = commands.add_parser("sensitivity", help=what, description=what)
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("--variant", default="fp32", help="the float variant to start from (default: %(default)s)")
    parser.add_argument("--device", default="host", help="its engines decide on the integers (default: %(default)s)")
    parser.add_argument("--format", default="", help="onnx or tflite (default: the first that the device takes)")
    parser.add_argument("--method", default="minmax", help="of calibration (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=TUNING_FRAMES, help="labelled frames (default: %(default)s)")
    parser.add_argument("--plot", type=Path, default=None, metavar="FILE", help="draw it: .svg or .png")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write the ranking as JSON")
    parser.set_defaults(command=lambda parsed: _sensitivity(parsed, say))


def add_layers_command(commands: Any, say: Say) -> None:
    """The command `harness layers`; `say` as above."""
    what = "compare a variant with its parent layer by layer, on the same frames"
    ends = "The exit status is 0 where every layer is inside the tolerance, 1 where one is not or none was compared."
    parser = commands.add_parser("layers", help=what, description=f"{what}. {ends}")
    parser.add_argument("model", help="name or folder of a model")
    parser.add_argument("variant", help="a variant whose card names its parent")
    parser.add_argument("--runtime", default="", help="of the device, whose files are compared (default: any)")
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=LAYER_FRAMES, help="how many (default: %(default)s)")
    parser.add_argument("--cosine", type=float, default=0.99, help="tolerated, or more (default: %(default)s)")
    parser.add_argument("--sqnr", type=float, default=20.0, help="tolerated in dB, or more (default: %(default)s)")
    parser.add_argument("--json", type=Path, default=None, metavar="FILE", help="write all of it as JSON")
    parser.set_defaults(command=lambda parsed: _layers(parsed, say))


def _sensitivity(parsed: argparse.Namespace, say: Say) -> str:
    from harness.variants import Recipe
    from harness.variants.frames import Frames
    from harness.variants.onnxfile.static import NNCF
    from harness.variants.quantise.histograms import METHODS
    from harness.variants.quantise.partial import formats_of
    from harness.variants.study.sensitivity import sensitivity
    from harness.variants.study.sensitivitytext import plot, require_figure, text_of

    if parsed.plot:
        require_figure(parsed.plot)
    card, profile = card_named(parsed.model), profile_named(parsed.device)
    frames = Frames(card=card, cache=CACHE, say=say, tuning_frames=counted(parsed.frames))
    bench = bench_of(card, parsed.variant, profile, frames, say)
    form = one_of("format", parsed.format, formats_of(bench))
    method = one_of("method", parsed.method, (*METHODS, NNCF) if form == "onnx" else METHODS)
    recipe = Recipe(name="int8", technique="static", parent=parsed.variant, options={"method": method})
    ranking = sensitivity(recipe, bench, say, form)
    lines = [text_of(ranking, form)]
    if parsed.plot:
        title = f"{card.name}, {parsed.variant}.{form}: each layer alone in INT8, {len(bench.frames.tuning)} frames"
        lines.append(str(plot(ranking, title, parsed.plot)))
    if parsed.json:
        lines.append(written(parsed.json, {"model": card.name, "variant": parsed.variant, "format": form,
                                            "layers": [one.facts() for one in ranking]}))  # fmt: skip
    return "\n".join(lines)


def _layers(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.variants.frames import Frames
    from harness.variants.study.layertext import text_of
    from harness.variants.study.layerwise import Tolerance, layerwise

    card, profile = card_named(parsed.model), profile_named(parsed.device)
    parent = _parent(card, parsed.variant)
    form = _common_format(card, parent, parsed.variant, profile, parsed.runtime)
    # The pool that calibration frames are drawn from is four times as large: no more is rendered than that.
    count = counted(parsed.frames)
    frames = Frames(card=card, cache=CACHE, say=say, calibration_frames=count, tuning_frames=1, fewest=1).calibration
    tolerance = Tolerance(cosine=parsed.cosine, sqnr_db=parsed.sqnr)
    found = layerwise(card, card.file(parent, form), card.file(parsed.variant, form), frames, tolerance)
    lines = [text_of(found)]
    if parsed.json:
        lines.append(written(parsed.json, {"model": card.name, **found.facts()}))
    bad = found.first_outside is not None or not found.compared
    return "\n".join(lines), OUTSIDE if bad else 0


def _parent(card: ModelCard, variant: str) -> str:
    parent = card.variants[one_of("variant", variant, tuple(card.variants))].parent
    if not parent:
        raise ConfigError(
            f"the card names no parent of {variant}", where=f"{card.folder / 'model.toml'}, variants.{variant}",
            remedy="name a variant that has one",
        )  # fmt: skip
    return parent


def _common_format(card: ModelCard, parent: str, variant: str, profile: DeviceProfile, runtime: str) -> str:
    """Of the file that the runtime takes, or the first that both have and whose layers can be seen."""
    from harness.prepare import file_format
    from harness.variants.study.graphs import READERS

    both = card.variants[parent].files.keys() & card.variants[variant].files.keys()
    if runtime:
        entry = one_of("runtime", runtime, tuple(profile.runtimes))
        both &= {file_format(profile, card, variant, entry)}
    found = next((one for one in READERS if one in both), "")
    if not found:
        raise ConfigError(
            f"{parent} and {variant} have no file in common whose layers can be seen ({' or '.join(READERS)})",
            where=str(card.folder / "model.toml"), remedy="name another runtime, or export both to one format",
        )  # fmt: skip
    return found
