"""Cascades of simulated engines, and of the shipped models on rendered cabin frames."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.cascade import CascadeJob, Execution, Stage
from harness.cascade.measure import measure_cascade
from harness.cascade.records import CascadeRun
from harness.cascadecard import cascade_job, models_of, read_cascade
from harness.case import Case, Job, Plan, TaskSpec
from harness.datasets import Sample
from harness.datasets.cabin import Cabin
from harness.frames import Frame, write_pack
from harness.model import ModelCard
from tests.simulated import CHECKOUT

GREYS = (10, 240, 60, 200, 120, 90, 30)
PLAN = Plan("tiny", frames=12, warmup_window=0)


def quiet(*words: object) -> None:
    """Nobody listens."""


@pytest.fixture
def simulated_cascade(make_job: Callable[..., Job], tmp_path: Path) -> Callable[..., CascadeJob]:
    """A cascade of simulated engines: for each stage its name, and what its .sim file or the Stage says besides."""

    def make(stages: dict[str, dict[str, Any]], mode: str = "serial", streams: int = 2, **plan: Any) -> CascadeJob:
        made = []
        for name, told in stages.items():
            shape = {key: told[key] for key in ("after", "crop", "every") if key in told}
            sim = {"sigma": 0.0, **{key: value for key, value in told.items() if key not in shape}}
            (tmp_path / f"{name}.sim").write_text(json.dumps(sim), encoding="utf-8")
            made.append(Stage(name, replace(make_job(), model_path=str(tmp_path / f"{name}.sim")), **shape))
        write_pack(tmp_path / "whole", (Frame(np.full((20, 32), grey, np.uint8)) for grey in GREYS))
        first = replace(made[0].job, plan=replace(PLAN, **plan), frames_path=str(tmp_path / "whole"))
        return CascadeJob(
            **{**vars(first), "case": Case("simulated", "test", "cascade", "simulated"), "task": TaskSpec("cascade")},
            stages=tuple(made), execution=Execution(mode, streams),
        )  # fmt: skip

    return make


@pytest.fixture
def run() -> Callable[[CascadeJob], CascadeRun]:
    """Carry out a cascade in this process."""
    return lambda job: measure_cascade(job, quiet)


@pytest.fixture(scope="session")
def samples() -> tuple[Sample, ...]:
    """Rendered cabin frames, each of another recording."""
    cabin = Cabin(Path(), split="eval", frames=600)
    return tuple(cabin[index] for index in range(0, 600, 25))


@pytest.fixture(scope="session")
def cabin_models() -> dict[str, ModelCard]:
    """Of each stage of the shipped pipeline the card of its model."""
    return models_of(read_cascade(CHECKOUT / "suites/pipelines/cabin"), CHECKOUT / "suites/models")


@pytest.fixture(scope="session")
def cabin_job(
    samples: tuple[Sample, ...], cabin_models: dict[str, ModelCard], tmp_path_factory: pytest.TempPathFactory
) -> CascadeJob:
    """The shipped pipeline with its INT8 models on ONNX Runtime, one thread each, over the rendered frames."""
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("cabin")
    write_pack(folder / "whole", (Frame(one.frame) for one in samples))
    card = read_cascade(CHECKOUT / "suites/pipelines/cabin")
    jobs = {one.name: onnx_job(cabin_models[one.name], one.variant) for one in card.stages}
    return cascade_job(card, cabin_models, jobs, folder / "whole", replace(PLAN, frames=len(samples)))


def onnx_job(card: ModelCard, variant: str) -> Job:
    """What a worker needs of one model on ONNX Runtime; its hash is nobody's business here."""
    return Job(
        case=Case("host", card.name, variant, "onnxruntime"), plan=PLAN, engine="onnxruntime", options={"threads": 1},
        model_path=str(card.file(variant, "onnx")), model_sha256="", frames_path="", input=card.input_spec("onnx"),
        task=card.task_spec(), outputs=card.outputs("onnx"), extra_inputs=card.extra_input_list(),
    )  # fmt: skip
