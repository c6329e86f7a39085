"""Compiled contexts: a model as its provider compiled it for one SoC, given as the model file or kept in a cache.

Sources: onnxruntime docs, "EP Context Design" (session entries `ep.context_*`, node `EPContext`), and files written by
onnxruntime-qnn 2.7: the metadata `ep_compatibility_info.QNNExecutionProvider` reads
v2:backend:SDK:API:HTP architectures:SoC models:..., where 0 stands for "not said".
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from pathlib import Path
from typing import Any, Dict, Mapping, Optional, Sequence

from harness.errors import EngineError
from harness.modelfile.inspection import inspect_model
from harness.runtimes.onnxruntime_graph import Graph, read_graph
from harness.runtimes.onnxruntime_plugin import words_of

COMPATIBILITY = "ep_compatibility_info."
_LEFT_BEHIND_S = 24 * 3600
_PROMISES = {"htp_arch": 4, "soc_model": 5}


class ContextCache:
    """One file per model, provider, options and version in `folder`; made by the first session that loads."""

    def __init__(self, folder: str, model_path: str, identity: Sequence[Any]) -> None:
        model_sha256 = inspect_model(model_path).model_sha256
        digest = hashlib.sha256(json.dumps([model_sha256, *identity], sort_keys=True).encode())
        self.path = Path(folder).expanduser() / f"{digest.hexdigest()[:24]}.onnx"
        self._part = self.path.with_suffix(f".{os.getpid()}.part.onnx")
        self.taken = self.path.is_file() and self._notes.is_file()

    @property
    def _notes(self) -> Path:
        return self.path.with_suffix(".json")

    def entries(self) -> Dict[str, str]:
        """The session entries that make the context; in one file, for a half-written pair must not be found."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._clear()
        return {"ep.context_enable": "1", "ep.context_file_path": str(self._part), "ep.context_embed_mode": "1"}

    def keep(self, notes: Mapping[str, Any]) -> None:
        """Keep what the session has made, and `notes` that only its making could tell (where the nodes went).

        EngineError where it has made nothing.
        """
        if not self._part.is_file():
            raise EngineError(
                "the provider gives no compiled model to keep", where="runtimes.*.context_cache of the device profile",
                remedy="leave context_cache out; TensorRT and others have caches of their own among their options",
            )  # fmt: skip
        part = self._part.with_suffix(".json")
        part.write_text(json.dumps(notes), encoding="utf-8")
        os.replace(part, self._notes)
        os.replace(self._part, self.path)

    def forget(self) -> None:
        """Drop what was kept: it is damaged, or was made by another build."""
        for path in (self.path, self._notes):
            if path.is_file():
                path.unlink()
        self.taken = False

    def _clear(self) -> None:
        """Remove what processes left behind that were ended while they compiled."""
        for path in self.path.parent.glob("*.part.*"):
            if path.is_file() and time.time() - path.stat().st_mtime > _LEFT_BEHIND_S:
                path.unlink()

    def discard(self) -> None:
        """Forget what a session that failed has begun."""
        if self._part.is_file():
            self._part.unlink()

    def notes(self) -> Dict[str, Any]:
        """What `keep` was given; ValueError where it is damaged."""
        found = json.loads(self._notes.read_text(encoding="utf-8"))
        if not isinstance(found, dict):
            raise ValueError(f"{self._notes} holds no JSON object")
        return found


def context_of(path: str) -> Optional[Graph]:
    """The graph of a file that holds compiled contexts; None for any other file."""
    try:
        graph = read_graph(path)
    except Exception:
        # The engine says what is wrong with a file that is none.
        return None
    return graph if any(node.kind == "EPContext" for node in graph.nodes) else None


def refuse_other_soc(context: Graph, provider: str, options: Mapping[str, str], where: str) -> None:
    """EngineError where the context was made for another SoC or HTP than the profile's options promise."""
    said = context.metadata.get(COMPATIBILITY + provider, "").split(":")
    for option, index in _PROMISES.items():
        made_for = re.findall(r"\d+", said[index]) if said[0] == "v2" and len(said) > index else []
        promised = options.get(option, "0")
        if promised.isdigit() and promised != "0" and any(int(one) for one in made_for) and promised not in made_for:
            raise EngineError(
                f"the context binary was made for {option} = {', '.join(made_for)}"
                f" and the profile promises {option} = {promised}",
                where=where, remedy=f"make it again with {option} = {promised}, or give the ONNX file",
            )  # fmt: skip


def context_refused(error: Exception, where: str) -> EngineError:
    """The error of a context that the engine does not load: another SoC, another SDK, or a damaged file."""
    return EngineError(
        f"the context binary does not load here: {words_of(error)}", where=where,
        remedy="it runs on the SoC and the SDK version that it was made for: make it again, or give the ONNX file",
    )  # fmt: skip
