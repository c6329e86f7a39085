"""Which provider of ONNX Runtime took which nodes, as a session tells that was opened with the entry RECORD."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, Dict, List, Optional

RECORD = "session.record_ep_graph_assignment_info"


@dataclass(frozen=True)
class Placement:
    """nodes: provider -> count; pieces: nodes of each subgraph of the promised one; left: kinds of nodes elsewhere.

    fused: nodes are those that ran, and each of the promised provider's is a whole subgraph.
    """

    promised: str
    nodes: Dict[str, int]
    pieces: List[int]
    left: Dict[str, int]
    fused: bool = False

    @property
    def total(self) -> int:
        return sum(self.nodes.values())

    def facts(self) -> Dict[str, Any]:
        """`placement`, and `partitions` where the provider takes subgraphs and not single nodes."""
        facts: Dict[str, Any] = {"placement": {name: count / self.total for name, count in self.nodes.items()}}
        if self.fused:
            return {"partitions": len(self.pieces), **({} if self.left else facts)}
        if not self.left:
            # A provider of kernels is told node by node: without any elsewhere its nodes are one piece.
            facts["partitions"] = len(self.pieces) if max(self.pieces) > 1 else 1
        elif max(self.pieces, default=0) > 1:
            facts["partitions"] = len(self.pieces)
        return facts

    def sentence(self) -> str:
        """What the promised provider did not take."""
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.left.items(), key=lambda one: -one[1]))
        return f"{self.promised} takes {self.nodes.get(self.promised, 0)} of {self.total} nodes and not {kinds}"


def placement_of(session: Any, promised: str) -> Optional[Placement]:
    """Where the session's nodes run; None where this version of ONNX Runtime does not tell (1.19 does not)."""
    if not hasattr(session, "get_provider_graph_assignment_info"):
        return None
    parts = session.get_provider_graph_assignment_info()
    nodes: Dict[str, int] = Counter()
    left: Dict[str, int] = Counter()
    for part in parts:
        nodes[part.ep_name] += len(part.get_nodes())
        if part.ep_name != promised:
            left.update(node.op_type for node in part.get_nodes())
    pieces = [len(part.get_nodes()) for part in parts if part.ep_name == promised]
    return Placement(promised, dict(nodes), pieces, dict(left)) if nodes else None
