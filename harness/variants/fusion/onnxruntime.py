"""What ONNX Runtime fused, read from the graph that it writes after optimising.

Which node stands for what: docs/ContribOperators.md of onnxruntime, and what 1.31 wrote.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.runtimes import missing_engine
from harness.runtimes.onnxruntime_graph import CONVOLUTIONS, INTEGER, graph_facts, read_graph
from harness.runtimes.onnxruntime_session import CPU, KERNELS, Sessions, options_of
from harness.runtimes.onnxruntime_session import Wanted as Entry
from harness.variants.fusion import Convolution, Read
from harness.variants.fusion.source import ACTIVATIONS, NORM, QUANTISE, RANGE, Wanted, names, wanted

# An activation that it left by itself.
APART = (*ACTIVATIONS, QUANTISE, "QuickGelu", "QLinearLeakyRelu", "QLinearSigmoid")
# What it adds to the names of nodes that it makes from others.
_ADDED = re.compile(r"(_nchwc)?(_token_\d+)?(/QuickGeluFusion/)?$")


@dataclass(frozen=True, kw_only=True)
class Node:
    """One node after optimising. names: by which the file may know it. activation: that it holds, "" without."""

    kind: str
    names: frozenset[str]
    activation: str = ""


def read(path: Path, options: Mapping[str, Any]) -> Read:
    """Of a session with the entry's provider; EngineError where that compiles and writes no graph."""
    with tempfile.TemporaryDirectory() as folder:
        optimised = Path(folder) / "optimised.onnx"
        _optimise(path, optimised, options)
        nodes, left = _nodes(optimised), graph_facts(read_graph(str(optimised)))["fusion"]["batch_norms"]
    return Read(convolutions=tuple(_found(one, nodes) for one in wanted(path)), batch_norms_left=left)


def _optimise(path: Path, optimised: Path, options: Mapping[str, Any]) -> None:
    try:
        import onnxruntime
    except ImportError as error:
        raise missing_engine("onnxruntime", "host", error) from error
    entry = Entry(
        tuple(options.get("providers", (CPU,))), options_of(options.get("provider_options")), options.get("threads", 1),
        dict(options.get("session_config") or {}), "", "", True,
    )  # fmt: skip
    if options.get("plugin") or not set(entry.providers) <= set(KERNELS):
        raise EngineError(f"{entry.promised} compiles the model and does not tell what it fused", where=str(path))
    sessions = Sessions(onnxruntime, entry)
    try:
        sessions.open(str(path), {}, True, optimised=str(optimised))
    except EngineError:
        raise
    except Exception as error:
        raise sessions.refusal(error, str(path)) from error


def _nodes(path: Path) -> tuple[Node, ...]:
    import onnx

    return tuple(_node(one) for one in onnx.load(str(path), load_external_data=False).graph.node)


def _node(node: Any) -> Node:
    activation = next((one.s.decode() for one in node.attribute if one.name == "activation"), "")
    return Node(kind=node.op_type, names=names(node) | {_ADDED.sub("", node.name)}, activation=activation)


def _found(one: Wanted, nodes: Sequence[Node]) -> Convolution:
    """A fused node carries the name of the convolution, or that of the activation's result."""
    known = one.names | one.norm_names | one.activation_names
    mine = next((node for node in nodes if node.kind in CONVOLUTIONS and node.names & known), None)
    norms = frozenset(name for node in nodes if node.kind == NORM for name in node.names)
    return one.answer(*_answer(one, mine, nodes), norms)


def _answer(one: Wanted, mine: Node | None, nodes: Sequence[Node]) -> tuple[bool | None, str]:
    if mine is None:
        return None, "the optimised graph has no convolution of this name"
    if mine.activation:
        return True, f"{mine.activation} in {mine.kind}"
    apart = [node.kind for node in nodes if node.kind in APART and node.names & one.activation_names]
    if mine.kind in INTEGER and not apart:
        return True, f"in the range of {mine.kind}" if one.activation else ""
    if one.activation == RANGE:
        return False, "it runs in float, and a QuantizeLinear of its own cuts the range"
    return False, f"{one.activation} runs by itself" if one.activation else ""
