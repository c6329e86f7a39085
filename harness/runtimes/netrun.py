"""What Qualcomm's qnn-net-run and snpe-net-run share: lists of raw input files, and Result_N folders of raw outputs.

Neither tool tells shapes or types. They stand in FILE.tensors.json beside the model, written when it was converted:
{"inputs": {"image": {"shape": [1, 224, 224, 3], "dtype": "float32"}}, "outputs": {"scores": {"shape": [1, 2]}}}
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Sequence, Tuple, TypeVar

import numpy as np

from harness.case import TensorSpec
from harness.errors import EngineError
from harness.runtimes.command import Tensors, cycled, read_raw, write_raw

Specs = Tuple[TensorSpec, ...]
One = TypeVar("One")


def read_tensors(model_path: str) -> Tuple[Specs, Specs]:
    """Inputs and outputs of the model; EngineError where nobody wrote them down or they cannot be."""
    path = Path(f"{model_path}.tensors.json")
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return _specs(found["inputs"]), _specs(found["outputs"])
    except FileNotFoundError as error:
        raise EngineError(
            "nothing tells the shapes of the model's inputs and outputs", where=str(path),
            remedy="write that file as docs/command-tools.md shows; the converter prints names and shapes",
        ) from error  # fmt: skip
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineError(
            f"the tensors of the model cannot be read: {error!r}", where=str(path),
            remedy="docs/command-tools.md shows the form",
        ) from error  # fmt: skip


def write_input_list(feeds: Sequence[Tensors], lines: int, inputs: Specs, folder: Path) -> Path:
    """The raw files of `feeds` and a list with one line per frame, the feeds in turn."""
    files = [write_raw(one, inputs, folder, number) for number, one in enumerate(feeds)]
    rows = [" ".join(f"{name}:={path}" for name, path in files[number].items()) for number in cycled(len(feeds), lines)]
    path = folder / "inputs.txt"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def read_results(folder: Path, frames: int, outputs: Specs) -> List[Tensors]:
    """The outputs of each frame; EngineError where there are fewer or others than the model has."""
    return [_result(folder / f"Result_{number}", outputs) for number in range(frames)]


def _result(folder: Path, outputs: Specs) -> Tensors:
    files = sorted(folder.rglob("*.raw")) if folder.is_dir() else []
    # A tensor with "/" in its name is a file in folders.
    there = _keyed((path.relative_to(folder).with_suffix("").as_posix(), path) for path in files)
    wanted = _keyed((spec.name, spec) for spec in outputs)
    if there.keys() != wanted.keys():
        raise EngineError(
            f"the tool wrote the outputs {sorted(there)} and the model has {sorted(wanted)}", where=folder.name,
            remedy="correct the outputs in FILE.tensors.json beside the model",
        )  # fmt: skip
    return {spec.name: read_raw(there[name], spec) for name, spec in wanted.items()}


def _keyed(named: Iterable[Tuple[str, One]]) -> Dict[str, One]:
    """By plain name; EngineError where two cannot be told apart."""
    found: Dict[str, One] = {}
    for name, one in named:
        if _plain(name) in found:
            raise EngineError(
                f"two outputs are both called {_plain(name)!r} where the tool writes them", where=name,
                remedy="rename one of them in the model: files cannot tell them apart",
            )  # fmt: skip
        found[_plain(name)] = one
    return found


def _plain(name: str) -> str:
    """File names are tensor names with `:0` or `_native` behind them and other characters instead of some."""
    return re.sub(r"\W", "_", re.sub(r"(_native|:\d+)$", "", name)).lstrip("_")


def _specs(found: Mapping[str, Mapping[str, Any]]) -> Specs:
    return tuple(_spec(name, one) for name, one in found.items())


def _spec(name: str, one: Mapping[str, Any]) -> TensorSpec:
    unknown_keys = sorted(set(one) - {"shape", "dtype", "scale", "zero_point"})
    if unknown_keys:
        raise ValueError(f"{name!r} has the unknown key {unknown_keys[0]!r}")
    scale = one.get("scale")
    return TensorSpec(
        name, tuple(int(size) for size in one["shape"]), np.dtype(one.get("dtype", "float32")).name,
        None if scale is None else float(scale), int(one.get("zero_point", 0)),
    )  # fmt: skip


def refuse_quantised(inputs: Specs, outputs: Specs, model_path: str) -> None:
    """EngineError for another type than float32, which the tool's plain files hold."""
    other = [one for one in (*inputs, *outputs) if one.dtype != "float32"]
    if other:
        raise EngineError(
            f"{other[0].name!r} is {other[0].dtype}, and the tool's files hold float32",
            where=f"{model_path}.tensors.json",
            remedy="write native = true in the runtime's options where the tool can (qnn), or dtype float32",
        )  # fmt: skip


def zeros(inputs: Specs) -> Tensors:
    """One frame that any model takes."""
    return {spec.name: np.zeros([max(size, 1) for size in spec.shape], spec.dtype) for spec in inputs}
