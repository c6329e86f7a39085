"""python -m harness.zoo train | finish | export | evaluate | parity | speedup, for one net or all.

`finish` is the end of `train` alone: score the files that are there and write the card. `export` makes the .pte and
.pt2 files of a trained net from its fp32.onnx and names them in the card, whose floor stays.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, HarnessError
from harness.zoo.recipes import RECIPES

ROOT = Path(__file__).parents[2]
OWN_VARIANTS = {"fp32", "int8"}
WRITERS = ("export", "finish", "train")
FILES = ("fp32.onnx", "int8.onnx", "fp32.tflite", "int8.tflite", "fp32.pte", "int8.pte", "fp32.pt2")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; exit code 2 and one sentence for what cannot be done."""
    parser = argparse.ArgumentParser(prog="python -m harness.zoo", description=__doc__)
    parser.add_argument("command", choices=sorted(COMMANDS))
    parser.add_argument("net", choices=[*RECIPES, "all"])
    parser.add_argument("--seed", type=int, default=1, help="of the training")
    parser.add_argument("--threads", type=int, default=1, help="of the training; better two nets at once")
    parser.add_argument("--frames", type=int, default=8000, help="of split eval, for evaluate and parity")
    parser.add_argument("--formats", default="onnx,tflite,pte,pt2", help="only these, for export and evaluate")
    parser.add_argument("--cache", type=Path, default=ROOT / ".cache" / "zoo", help="rendered frames, checkpoints")
    parser.add_argument("--models", type=Path, default=ROOT / "suites" / "models", help="where the files go")
    chosen = parser.parse_args(arguments)
    try:
        for name in RECIPES if chosen.net == "all" else [chosen.net]:
            if chosen.command in WRITERS:
                require_only_own(chosen.models / name)
            COMMANDS[chosen.command](name, chosen)
    except HarnessError as error:
        print(error.sentence, file=sys.stderr)
        return 2
    return 0


def require_only_own(folder: Path) -> None:
    """ConfigError where the card, which is written anew, has variants that `harness optimize` made of these files."""
    from harness.model import read_card

    made = read_card(folder).variants.keys() - OWN_VARIANTS if (folder / "model.toml").is_file() else ()
    if made:
        raise ConfigError(
            f"the card is written anew and would lose the variants {', '.join(sorted(made))}",
            where=str(folder / "model.toml"), remedy="take them out of it, and make them again afterwards",
        )  # fmt: skip


def train(name: str, chosen: argparse.Namespace) -> None:
    """Train, export, quantise, score, and write the card: everything in suites/models/NAME."""
    from harness.zoo import train as training

    net = training.train(RECIPES[name], seed=chosen.seed, cache=chosen.cache, threads=chosen.threads)
    folder = chosen.models / name
    folder.mkdir(parents=True, exist_ok=True)
    make_files(name, net, chosen.cache, folder)
    finish(name, chosen)


def make_files(name: str, net: Any, cache: Path, folder: Path) -> None:
    """All files of a trained net."""
    from harness.zoo import data, export, quantise

    recipe = RECIPES[name]
    pictures = data.examples(recipe, data.CALIBRATION, cache).pictures
    evaluated = data.frame_hashes(data.evaluation(data.EVALUATION_FRAMES), cache)
    data.require_disjoint(data.frame_hashes(data.CALIBRATION, cache), evaluated)
    export.to_onnx(net, recipe, folder / "fp32.onnx")
    export.to_tflite(net, recipe, folder / "fp32.tflite")
    quantise.quantise_onnx(recipe, pictures, folder / "fp32.onnx", folder / "int8.onnx")
    quantise.quantise_tflite(recipe, pictures, folder / "fp32.tflite", folder / "int8.tflite")
    make_torch_files(name, cache, folder, ("pte", "pt2"))


def make_torch_files(name: str, cache: Path, folder: Path, formats: Sequence[str]) -> None:
    """The .pte and .pt2 files, from the weights of fp32.onnx; calibrated on the same frames as the others."""
    from harness.zoo import data, lower

    recipe, source = RECIPES[name], folder / "fp32.onnx"
    pictures = data.examples(recipe, data.CALIBRATION, cache).pictures
    net = lower.net_of(recipe, source)
    difference = lower.require_same(net, recipe, source, pictures)
    print(f"{name}: the net differs from fp32.onnx by at most {difference:.2g} on {len(pictures)} frames", flush=True)
    if "pt2" in formats:
        lower.to_pt2(net, recipe, folder / "fp32.pt2")
    if "pte" in formats:
        lower.to_pte(net, recipe, folder / "fp32.pte")
        lower.to_int8_pte(net, recipe, pictures, folder / "int8.pte")


def export(name: str, chosen: argparse.Namespace) -> None:
    """Make the .pte and .pt2 files of a net that has its ONNX file, and name them in its card."""
    from harness.model import read_card
    from harness.zoo import cards
    from harness.zoo.export import output_names

    folder = chosen.models / name
    make_torch_files(name, chosen.cache, folder, chosen.formats.split(","))
    floor = float(read_card(folder).budgets["accuracy_min_percent"])
    outputs = output_names(folder, RECIPES[name])
    worst = floor + cards.FLOOR_BELOW_POINTS
    cards.write_card(RECIPES[name], folder, seed=chosen.seed, outputs=outputs, worst=worst)


def finish(name: str, chosen: argparse.Namespace) -> None:
    """Score the files and write the card with a floor below the worst score."""
    from harness.zoo import cards, export

    recipe, folder = RECIPES[name], chosen.models / name
    worst = min(evaluate(name, chosen).values())
    outputs = export.output_names(folder, recipe)
    cards.write_card(recipe, folder, seed=chosen.seed, outputs=outputs, worst=worst)


def evaluate(name: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Print every file's score on the evaluation split; file name -> score in per cent."""
    from harness.variants.scoring import SCORED_BY
    from harness.zoo import data, measure

    recipe = RECIPES[name]
    examples = data.examples(recipe, data.evaluation(chosen.frames), chosen.cache)
    values = {}
    for file in (one for one in FILES if one.rpartition(".")[2] in chosen.formats.split(",")):
        engine = SCORED_BY[file.rpartition(".")[2]]
        score = measure.score(recipe, examples, chosen.models / name / file, engine)
        values[file] = score.value
        extras = {key: round(value, 2) for key, value in score.extras.items()}
        said = f"{name} {file} {score.name} {score.value:.2f} trivial {score.trivial:.2f}"
        print(said, json.dumps(extras), flush=True)
    return values


def speedup(name: str, chosen: argparse.Namespace) -> None:
    """Print FP32 against INT8 on every engine, one thread, interleaved."""
    from harness.zoo import measure

    folder = chosen.models / name
    for engine, (file_format, _) in measure.ENGINES.items():
        if not (folder / f"int8.{file_format}").is_file():
            continue
        speed = measure.speed(folder / f"fp32.{file_format}", folder / f"int8.{file_format}", engine)
        print(f"{name} {engine} fp32 {speed.fp32_ms:.3f} ms int8 {speed.int8_ms:.3f} ms {speed.ratio:.2f}x", flush=True)


def agreement(name: str, chosen: argparse.Namespace) -> None:
    """Print how far every engine's answers are from those of ONNX Runtime's FP32 file."""
    from harness.zoo import data, parity

    recipe = RECIPES[name]
    pictures = data.examples(recipe, data.evaluation(chosen.frames), chosen.cache).pictures
    for one in parity.compare(recipe, chosen.models / name, pictures):
        print(
            f"{name} {one.engine} {one.file} differs {one.largest:.2g} agrees {one.agreeing_percent:.2f} %", flush=True
        )


COMMANDS = {
    "evaluate": evaluate, "export": export, "finish": finish, "parity": agreement, "speedup": speedup, "train": train,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
