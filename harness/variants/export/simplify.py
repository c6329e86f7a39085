"""The same ONNX network with fewer nodes: constants folded, batch normalisations folded, no weight among the inputs."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, EngineError, HarnessError, printable
from harness.modelfile import inspect_model
from harness.variants import Bench, Made, Recipe
from harness.variants.export.equality import Equality, first_frames, same_files

# A file of an older version has to list its weights as inputs.
LEAST_IR_VERSION = 4
BARE = "weights taken off the inputs"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one tool made of the graph."""

    tool: str
    model: Any

    @property
    def nodes(self) -> int:
        """Those of the main graph."""
        return len(self.model.graph.node)


def simplified(recipe: Recipe, bench: Bench) -> Made:
    """The parent's ONNX file as the tool leaves it that leaves the fewest nodes, equal to it on real frames.

    Where none leaves fewer, the file is the parent's own, byte for byte, and the fact `changed` is false. HarnessError
    where the target takes no ONNX file.
    """
    _refuse(recipe, bench)
    parent, target = bench.parent("onnx"), bench.target(recipe, "onnx")
    target.parent.mkdir(parents=True, exist_ok=True)
    before = _loaded(parent)
    bare, listed = without_listed_weights(before)
    attempts, given_up = attempted(bare)
    for one in attempts:
        if listed or one.nodes < len(before.graph.node):
            try:
                equality = _written(one, parent, target, bench)
            except HarnessError as error:
                given_up[one.tool] = error.sentence
                continue
            facts = {"tool": one.tool, "weights_taken_off_inputs": listed}
            return _made(bench, parent, target, facts, given_up, equality)
    target.write_bytes(parent.read_bytes())
    return _made(bench, parent, target, {"tool": ""}, given_up, None)


def without_listed_weights(model: Any) -> tuple[Any, int]:
    """A copy whose weights are constants, and how many were listed as inputs: engines fold nothing into those."""
    copy = type(model)()
    copy.CopyFrom(model)
    weights = {one.name for one in copy.graph.initializer}
    kept = [one for one in copy.graph.input if one.name not in weights]
    listed = len(copy.graph.input) - len(kept)
    if listed:
        del copy.graph.input[:]
        copy.graph.input.extend(kept)
        copy.ir_version = max(copy.ir_version, LEAST_IR_VERSION)
    return copy, listed


def attempted(model: Any) -> tuple[list[Attempt], dict[str, str]]:
    """What each of TOOLS makes of the graph, fewest nodes first, itself before its equals; why others failed."""
    found, failed = [Attempt(tool=BARE, model=model)], {}
    for name, tool in TOOLS.items():
        copy = type(model)()
        copy.CopyFrom(model)
        try:
            found.append(Attempt(tool=name, model=tool(copy)))
        except ImportError as error:
            failed[name] = f"not installed: {error}; pip install 'dms-harness[zoo]'"
        except Exception as error:
            # A tool raises whatever it meets in a graph that it does not know.
            failed[name] = printable(f"{type(error).__name__}: {error}", 300)
    return sorted(found, key=lambda one: (one.nodes, one.tool != BARE)), failed


def _slim(model: Any) -> Any:
    import onnxslim

    return onnxslim.slim(model)


def _script(model: Any) -> Any:
    from onnxscript import optimizer

    return optimizer.optimize(model)


# onnxslim merges more; what torch's dynamo exporter left unoptimised only onnxscript understands.
TOOLS: dict[str, Callable[[Any], Any]] = {
    "onnxslim": _slim,
    "onnxscript": _script,
    "onnxscript, onnxslim": lambda model: _slim(_script(model)),
}


def _refuse(recipe: Recipe, bench: Bench) -> None:
    if "onnx" not in bench.formats:
        raise HarnessError("only ONNX files are simplified, and the target takes none", where=recipe.name)
    if recipe.options:
        raise ConfigError(f"simplified takes no options, and has {', '.join(recipe.options)}", where=recipe.name)


def _loaded(path: Path) -> Any:
    import onnx

    return onnx.load(str(path))


def _written(attempt: Attempt, parent: Path, target: Path, bench: Bench) -> Equality:
    import onnx

    # Engines infer the inner shapes anew.
    del attempt.model.graph.value_info[:]
    onnx.save(attempt.model, str(target))
    dtypes = [inspect_model(one).weight_dtype for one in (parent, target)]
    if dtypes[0] != dtypes[1]:
        raise EngineError(f"most weights are {dtypes[1]} where they were {dtypes[0]}", where=str(target))
    return same_files(parent, target, bench.card, first_frames(bench.frames.calibration))


def _made(
    bench: Bench, parent: Path, target: Path, facts: dict[str, Any], given_up: dict[str, str], equality: Equality | None
) -> Made:
    counts = [Counter(node.op_type for node in _loaded(one).graph.node) for one in (parent, target)]
    before, after = (sum(one.values()) for one in counts)
    sizes = [one.stat().st_size for one in (parent, target)]
    changed = equality is not None
    sentence = (
        f"{before} nodes became {after}, {sizes[0]} bytes {sizes[1]}" if changed
        else f"nothing to simplify: no tool leaves fewer than the {before} nodes that there are"
    )  # fmt: skip
    bench.say(sentence)
    return Made(
        files={"onnx": target},
        facts={
            **facts, "changed": changed, "sentence": sentence,
            "nodes_before": before, "nodes_after": after, "bytes_before": sizes[0], "bytes_after": sizes[1],
            "operators_before": dict(sorted(counts[0].items())), "operators_after": dict(sorted(counts[1].items())),
            "sha256": hashlib.sha256(target.read_bytes()).hexdigest(),
            **({"given_up": given_up} if given_up else {}), **(equality.facts() if equality else {}),
        },
        failures={one: "only ONNX files are simplified" for one in bench.formats if one != "onnx"},
    )  # fmt: skip
