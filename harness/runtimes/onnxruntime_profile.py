"""Where the nodes of a session ran, by ONNX Runtime's profiler: for versions whose sessions do not tell (1.19).

Source: the JSON of `end_profiling` in 1.31: events of category "Node" with args.provider and args.op_name.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from typing import Any, Dict, List, Optional

import numpy as np

from harness.runtimes.onnxruntime_placement import Placement
from harness.runtimes.onnxruntime_types import DTYPES

_COPIES = "Memcpy"


def ran_placement(session: Any, promised: str, fused: bool) -> Optional[Placement]:
    """Run a session that was opened to be profiled once on zeros; None where it tells of no node.

    fused: the promised provider compiles, so each of its nodes stands for a whole subgraph.
    """
    session.run(None, {one.name: _zeros(one) for one in session.get_inputs()})
    path = session.end_profiling()
    with open(path, encoding="utf-8") as file:
        events: List[Dict[str, Any]] = json.load(file)
    os.unlink(path)
    ran = [one["args"] for one in events if one.get("cat") == "Node" and "provider" in one.get("args", {})]
    ran = [one for one in ran if not str(one.get("op_name", "")).startswith(_COPIES)]
    nodes = Counter(str(one["provider"]) for one in ran)
    left = Counter(str(one.get("op_name", "")) for one in ran if one["provider"] != promised)
    return Placement(promised, dict(nodes), [1] * nodes[promised], dict(left), fused) if nodes else None


def _zeros(value: Any) -> Any:
    sizes = [size if isinstance(size, int) else 1 for size in value.shape]
    return np.zeros(sizes, DTYPES[value.type])
