"""Which convolutions took in what follows them, asked of the engine's own graph: fused, or not fused and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import EngineError
from harness.members import member
from harness.runtimes import open_runtime

READERS = {
    "onnxruntime": "harness.variants.fusion.onnxruntime:read",
    "openvino": "harness.variants.fusion.openvino:read",
    "litert": "harness.variants.fusion.litert:read",
    "tensorrt": "harness.variants.fusion.tensorrt:read",
    "trtexec": "harness.variants.fusion.tensorrt:read",
}
MOST_NAMED = 5
_KINDS = (True, False, None)


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """One convolution of the file. activation: what follows it, "" where that is none.

    fused: the engine computes both in one layer; None without an activation, or where the engine does not tell.
    reason: what holds both, why not, or why it is not known. folded: the batch normalisation behind it is in its
    weights; None where there was none in the file, or the engine does not tell.
    """

    name: str
    activation: str = ""
    fused: bool | None = None
    reason: str = ""
    folded: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Read:
    """What one engine told. batch_norms_left: None where it does not tell. remark: what to know of the answer."""

    convolutions: tuple[Convolution, ...]
    batch_norms_left: int | None = None
    remark: str = ""


@dataclass(frozen=True, kw_only=True)
class FusionReport:
    """How much of a file an engine fused.

    fused: convolutions that run with their activation. unfused: the names of those that do not though one follows.
    untold: of those where the engine does not tell. batch_norms_left: None where it does not tell. layers: every
    convolution with its reason; empty where the engine only tells counts.
    """

    engine: str
    convolutions: int
    fused: int
    unfused: tuple[str, ...]
    batch_norms_left: int | None
    sentence: str
    untold: tuple[str, ...] = ()
    layers: tuple[Convolution, ...] = ()

    def facts(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "convolutions": self.convolutions, "fused": self.fused, "unfused": list(self.unfused),
            "untold": list(self.untold), "batch_norms_left": self.batch_norms_left, "sentence": self.sentence,
        }  # fmt: skip


def fusion(path: Path, engine: str, options: Mapping[str, Any]) -> FusionReport:
    """What `engine`, opened with the options of a profile's entry, fused of a model file; EngineError where it refuses.

    TensorRT does not run here: `layers` among its options is the file that trtexec --exportLayerInfo wrote.
    """
    if engine not in READERS:
        return _counted(path, engine, options)
    read: Read = member("reader of fusion", engine, READERS)(path, options)
    answers = {kind: [one for one in read.convolutions if one.activation and one.fused is kind] for kind in _KINDS}
    return FusionReport(
        engine=engine, convolutions=len(read.convolutions), fused=len(answers[True]), unfused=_names(answers[False]),
        untold=_names(answers[None]), batch_norms_left=read.batch_norms_left, layers=read.convolutions,
        sentence=_sentence(engine, read, answers),
    )  # fmt: skip


def _names(found: Sequence[Convolution]) -> tuple[str, ...]:
    return tuple(one.name for one in found)


def _sentence(engine: str, read: Read, answers: Mapping[bool | None, Sequence[Convolution]]) -> str:
    following = sum(map(len, answers.values()))
    parts = [
        f"{engine}: {len(answers[True])} of {following} activations run inside their convolution "
        f"({len(read.convolutions)} convolutions)",
        _listed("not fused", answers[False]), _listed("not told", answers[None]), _batch_norms(read.batch_norms_left),
        read.remark,
    ]  # fmt: skip
    return "; ".join(part for part in parts if part)


def _listed(what: str, found: Sequence[Convolution]) -> str:
    named = ", ".join(f"{one.name} ({one.reason})" for one in found[:MOST_NAMED])
    more = f" and {len(found) - MOST_NAMED} more" if len(found) > MOST_NAMED else ""
    return f"{what}: {named}{more}" if found else ""


def _batch_norms(left: int | None) -> str:
    if left is None:
        return ""
    return f"{left or 'no'} batch normalisation{'s are' if left > 1 else ' is'} left"


def _counted(path: Path, engine: str, options: Mapping[str, Any]) -> FusionReport:
    """Of an engine that tells numbers and no names."""
    runtime = open_runtime(engine, str(path), options)
    runtime.prepare()
    with runtime:
        told = runtime.facts().get("fusion", {})
    if "convolutions" not in told or "with_activation" not in told:
        raise EngineError(f"{engine} does not tell what it fused", where=str(path))
    holding, left = told["with_activation"], told.get("batch_norms")
    said = f"{engine}: {holding} of {told['convolutions']} convolutions hold an activation; it tells no names"
    return FusionReport(
        engine=engine, convolutions=told["convolutions"], fused=holding, unfused=(), batch_norms_left=left,
        sentence="; ".join(filter(None, [said, _batch_norms(left)])),
    )  # fmt: skip
