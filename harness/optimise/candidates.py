"""CANDIDATES: the recipes that are tried, and the engine options that need no new file; which of them fit a target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.errors import ConfigError, unknown
from harness.profile import DeviceProfile
from harness.runtimes import FORMATS
from harness.variants import Recipe

PARENT = "fp32"
MIXED = "mixed"
ALL_FORMATS = ("onnx", "tflite", "pte")
NO_EXECUTORCH = ("onnx", "tflite")


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One recipe to try. technique: of harness.variants. formats: that it can write.

    parent: the variant or the candidate whose files it takes. integer: it promises to compute in integers, so that a
    float run is told.
    """

    name: str
    technique: str
    formats: tuple[str, ...] = ALL_FORMATS
    options: Mapping[str, Any] = field(default_factory=dict)
    parent: str = PARENT
    integer: bool = False


@dataclass(frozen=True, kw_only=True)
class EngineOption:
    """The parent's own file on a runtime entry of its own: `option` is `value` where it was `instead_of`."""

    name: str
    engine: str
    option: str
    value: Any
    instead_of: Any


def _static(name: str, *, parent: str = PARENT, **options: Any) -> Candidate:
    return Candidate(name=name, technique="static", options=options, parent=parent, integer=True)


CANDIDATES = (
    Candidate(name="simplified", technique="simplified", formats=("onnx",)),
    Candidate(name="fp16", technique="half", formats=NO_EXECUTORCH),
    _static("int8-minmax", method="minmax"),
    _static("int8-entropy", method="entropy"),
    _static("int8-percentile", method="percentile", percentile=99.99),
    _static("int8-per-tensor", method="minmax", per_channel=False),
    Candidate(name="int8-dynamic", technique="dynamic", formats=NO_EXECUTORCH,
              options={"weights": "int8", "compute": "integer"}),
    Candidate(name="int8-weights", technique="dynamic", formats=NO_EXECUTORCH,
              options={"weights": "int8", "compute": "float"}),
    Candidate(name="int4-weights", technique="dynamic", formats=NO_EXECUTORCH,
              options={"weights": "int4", "compute": "float"}),
    Candidate(name=MIXED, technique="mixed", options={"first_in_float_if_quicker": True}),
    Candidate(name="qat", technique="qat", integer=True),
    Candidate(name="pruned", technique="pruned"),
    _static("pruned-int8", parent="pruned", method="minmax"),
    # Three tenths of the channels less are half of the multiply-adds.
    Candidate(name="pruned-light", technique="pruned", options={"ratio": 0.3}),
    _static("pruned-light-int8", parent="pruned-light", method="minmax"),
    Candidate(name="sparse", technique="sparse"),
    Candidate(name="distilled", technique="distilled"),
    _static("distilled-int8", parent="distilled", method="minmax"),
)  # fmt: skip
ENGINE_OPTIONS = (
    EngineOption(name="bf16", engine="openvino", option="precision", value="bf16", instead_of="f32"),
    EngineOption(name="bf16", engine="torch", option="precision", value="bf16", instead_of="fp32"),
    EngineOption(name="fp16-engine", engine="tensorrt", option="precision", value="fp16", instead_of=""),
)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is tried, each parent before what is made from it."""

    candidates: tuple[Candidate, ...]
    options: tuple[EngineOption, ...]


def chosen(text: str) -> Choice:
    """The candidates named in `text` with commas, with those that they are made from; all where it is empty.

    ConfigError for a name that is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()] or known()
    for name in names:
        if name not in known():
            raise ConfigError(unknown("candidate", name, known()), where="--candidates")
    wanted = {*names, *(one.parent for one in CANDIDATES if one.name in names)}
    return Choice(
        candidates=tuple(one for one in CANDIDATES if one.name in wanted),
        options=tuple(one for one in ENGINE_OPTIONS if one.name in wanted),
    )


def known() -> list[str]:
    """The names of all candidates."""
    return list(dict.fromkeys(one.name for one in (*CANDIDATES, *ENGINE_OPTIONS)))


def recipe_of(candidate: Candidate, seed: int, loss_points: float) -> Recipe:
    """How the candidate is made; a search for mixed precision is given the loss that may be."""
    limits = {"accuracy_loss_points": loss_points} if candidate.technique == MIXED else {}
    return Recipe(
        name=candidate.name, technique=candidate.technique, parent=candidate.parent,
        options={**candidate.options, **limits}, seed=seed,
    )  # fmt: skip


def engines_of(profile: DeviceProfile) -> tuple[str, ...]:
    """The engines of the target, in the order of its entries."""
    return tuple(dict.fromkeys(map(profile.engine, profile.runtimes)))


def formats_for(profile: DeviceProfile, candidate: Candidate, files: Mapping[str, Any]) -> tuple[str, ...]:
    """The formats worth writing: the target takes them, the candidate can write them, the parent has them."""
    taken = dict.fromkeys(form for engine in engines_of(profile) for form in FORMATS[engine])
    return tuple(form for form in taken if form in candidate.formats and form in files)


def entries_for(profile: DeviceProfile, options: Sequence[EngineOption]) -> Iterator[tuple[str, str, EngineOption]]:
    """(the entry as it is, the name of the new one, what it changes) for each entry of the target that can take it."""
    for one in options:
        for runtime in profile.runtimes:
            told = profile.engine_options(runtime).get(one.option, one.instead_of)
            if profile.engine(runtime) == one.engine and told == one.instead_of:
                yield runtime, f"{runtime}-{one.name}", one


def with_entry(profile: DeviceProfile, runtime: str, entry: str, option: EngineOption) -> DeviceProfile:
    """The profile with the two entries alone: as it is, and beside it with the option."""
    own = {"engine": profile.engine(runtime), **profile.runtimes[runtime]}
    both = {runtime: own, entry: {**own, option.option: option.value}}
    return profile.model_copy(update={"runtimes": both})
