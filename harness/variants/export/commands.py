"""The console command `harness export`: a card's net, with the weights of one of its files, as files of other forms."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, printable
from harness.variants.arguments import CACHE, Say, bench_of, card_named, one_of, profile_named

FORMATS = ("onnx", "tflite", "pte", "pt2")
SOME_FAILED = 1


def add_export_command(commands: Any, say: Say) -> None:
    """The command `harness export`; `say` takes what a person should read while it runs."""
    what = "write a model's net, with the weights of its ONNX file, in other formats, opsets or with open axes"
    ends = "Each file is compared with the net on real frames, or not kept. The exit status is 1 where one failed."
    parser = commands.add_parser("export", help=what, description=f"{what}. {ends}")
    parser.add_argument("model", help="name or folder of a model whose card has [training] net")
    parser.add_argument("--variant", default="fp32", help="whose ONNX file has the weights (default: %(default)s)")
    parser.add_argument("--formats", default=",".join(FORMATS), help="with commas (default: %(default)s)")
    parser.add_argument("--opset", type=int, default=17, help="of the ONNX file (default: %(default)s)")
    parser.add_argument("--exporter", default="legacy", help="legacy or dynamo (default: %(default)s)")
    parser.add_argument("--dynamic-batch", action="store_true", help="leave the batch of the ONNX file open")
    parser.add_argument("--dynamic-size", action="store_true", help="leave its height and width open")
    parser.add_argument("--device", default="host", help="its engines must read the opset (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("reports/export"), help="folder (default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _export(parsed, say))


def _export(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.variants.export import export
    from harness.variants.export.equality import FRAMES
    from harness.variants.export.onnx_file import EXPORTERS, OnnxForm
    from harness.variants.frames import Frames
    from harness.variants.training.nets import net_of

    card, folder = card_named(parsed.model), parsed.out / parsed.model
    form = OnnxForm(
        opset=parsed.opset, exporter=one_of("exporter", parsed.exporter, EXPORTERS),
        dynamic_batch=parsed.dynamic_batch, dynamic_size=parsed.dynamic_size,
    )  # fmt: skip
    frames = Frames(card=card, cache=CACHE, say=say, calibration_frames=FRAMES, tuning_frames=1, fewest=1)
    bench = bench_of(card, parsed.variant, profile_named(parsed.device), frames, say)
    bench = replace(bench, formats=_formats(parsed.formats), folder=folder)
    made = export(net_of(bench), bench, parsed.variant, form)
    lines = [f"{path}: {_sentence(made.facts[name])}" for name, path in made.files.items()]
    lines += [f"no {name} file: {why}" for name, why in made.failures.items()]
    return "\n".join(map(printable, lines)), SOME_FAILED if made.failures else 0


def _formats(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(filter(None, map(str.strip, text.split(",")))))
    if not names:
        raise ConfigError("no format is asked for", where="--formats", remedy=f"name some of {', '.join(FORMATS)}")
    return tuple(one_of("format", name, FORMATS) for name in names)


def _sentence(facts: Mapping[str, Any]) -> str:
    form = f", opset {facts['opset']}" if "opset" in facts else ""
    far = f"differs from the net by at most {facts['largest_difference']:.2g} on {facts['compared_frames']} frames"
    return f"{facts['bytes']} bytes{form}; {far}" + "".join(f"; {one}" for one in facts.get("notes", ()))
