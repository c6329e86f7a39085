"""`python -m harness.memory.worker JOB.json OUT` on the device: weighs several sessions, or one inference of several
frames, in this one process, and leaves OUT/result.json or OUT/error.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.case import Array, TensorSpec
from harness.errors import EngineError, HarnessError, WorkerError
from harness.memory.sharing import Run, open_way
from harness.probes.memory import peak_bytes, reset_peak, resident_bytes
from harness.processes import end_with_parent
from harness.runtimes import open_runtime
from harness.tasks.preprocess import one_thread

WARMUP_RUNS, FEWEST_RUNS, MOST_RUNS = 10, 30, 300
MOST_S = 1.5
FAILED = 3


def main(arguments: list[str]) -> int:
    """Returns the exit status: 0 with a result, 3 with an error."""
    out = Path(arguments[1])
    try:
        job = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
        _confine(job)
        result = KINDS[job["kind"]](job, out)
        (out / "result.json").write_text(json.dumps(result), encoding="utf-8")
    except BaseException as error:
        traceback.print_exc()
        said = error if isinstance(error, HarnessError) else WorkerError(f"{type(error).__name__}: {error}")
        (out / "error.json").write_text(json.dumps(said.to_wire()), encoding="utf-8")
        return FAILED
    return 0


def sharing(job: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Sessions one after the other: by how much each has grown this process, and the times of the last one."""
    way = open_way(job["engine"], job["way"], job["options"])
    before = _resident()
    way.share(job["weights"], out)
    grown: list[int] = []
    runs: list[Run] = []
    for path in job["paths"]:
        runs.append(way.open(path))
        _repeated(runs[-1], WARMUP_RUNS)
        grown.append(_resident() - before - sum(grown))
    return {"grown_bytes": grown, **_timed(runs[-1])}


def batch(job: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """One session; its peak, its times, and in OUT/answers.npz the answers [frames, ...] of each output.

    `frames`: the numbers of those in each inference, of which the first is timed. EngineError where the outputs are no
    answers to so many.
    """
    runtime = open_runtime(job["engine"], job["path"], job["options"])
    runtime.prepare()
    reset_peak()
    with runtime:
        fed = [{one.name: _frames(one, numbers) for one in runtime.inputs} for numbers in job["frames"]]
        found = {**_timed(lambda: runtime.infer(fed[0])), "peak_bytes": peak_bytes()}
        answers = [_answers(runtime.infer(one), len(numbers)) for one, numbers in zip(fed, job["frames"])]
        together: dict[str, Any] = {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
        np.savez(str(out / "answers.npz"), **together)
    return found


KINDS: dict[str, Callable[[Mapping[str, Any], Path], dict[str, Any]]] = {"sharing": sharing, "batch": batch}


def _answers(outputs: dict[str, Array], count: int) -> dict[str, Array]:
    for name, value in outputs.items():
        if not value.ndim or len(value) != count:
            raise EngineError(
                f"the output {name!r} has the shape {list(value.shape)} for {count} frames: the file holds its batch "
                "as a constant", remedy="export it with an open batch",
            )  # fmt: skip
    return outputs


def _frames(spec: TensorSpec, numbers: list[int]) -> Array:
    """Noise of another brightness for each frame, the same for the same numbers; EngineError for an open size."""
    sizes = spec.shape[1:]
    if not spec.shape or min(sizes, default=1) < 1:
        raise EngineError(f"the input {spec.name!r} has an open size, {list(spec.shape)}", remedy="fix it in the file")
    noise = np.stack([np.random.default_rng(number).random(sizes) / (1 + number) for number in numbers])
    whole = np.issubdtype(np.dtype(spec.dtype), np.integer)
    return (noise * 127 if whole else noise).astype(spec.dtype)


def _timed(run: Callable[[], object]) -> dict[str, list[int]]:
    """wall_ns and cpu_ns, of all threads, of each repetition after the warm-up."""
    _repeated(run, WARMUP_RUNS)
    wall_ns: list[int] = []
    cpu_ns: list[int] = []
    end_s = time.monotonic() + MOST_S
    while len(wall_ns) < FEWEST_RUNS or (len(wall_ns) < MOST_RUNS and time.monotonic() < end_s):
        began, used = time.perf_counter_ns(), time.process_time_ns()
        run()
        cpu_ns.append(time.process_time_ns() - used)
        wall_ns.append(time.perf_counter_ns() - began)
    return {"wall_ns": wall_ns, "cpu_ns": cpu_ns}


def _repeated(run: Callable[[], object], count: int) -> None:
    for _ in range(count):
        run()


def _resident() -> int:
    found = resident_bytes()
    if found is None:
        raise EngineError("the system does not tell how much memory a process takes", where="/proc/self/status")
    return found


def _confine(job: Mapping[str, Any]) -> None:
    end_with_parent()
    one_thread()
    if job["cpu_cores"] and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, job["cpu_cores"])
    if job["memory_limit_bytes"]:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (job["memory_limit_bytes"], resource.getrlimit(resource.RLIMIT_AS)[1]))


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Engines may hang or crash in their own tear-down; the result is on disk by now.
    os._exit(status)
