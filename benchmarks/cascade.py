"""The shipped cascade on this machine: serial against overlapped throughput, interleaved, with equal answers.

`python benchmarks/cascade.py [--rounds N] [--frames N] [--cores N] [--models FOLDER] [--variant int8]` pins itself to
that many cores. Each round pushes the same rendered frames through every execution in a mirrored random order (x y y x)
and once more through the serial one; all engines stay loaded. The ratio is per round, the interval the signed-rank
test's at 95 %. On a machine that others use, a program of many threads gets more of the cores than one of one: so the
cores used and the processor time of a frame are printed beside it. Where the serial one had less than 0.9 of a
core, or as many spinning processes less than 0.9 of all cores, the target is left undecided.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.cascade import CascadeJob, Execution
from harness.cascade.batching import measure_batch, price
from harness.cascade.crew import Crew, loaded
from harness.cascade.measure import camera_frames, run_frames
from harness.cascade.records import CascadeRun, first_difference
from harness.cascadecard import cascade_job, models_of, read_cascade
from harness.case import Case, Job, Plan
from harness.datasets.cabin import Cabin
from harness.errors import HarnessError
from harness.frames import Frame, write_pack
from harness.model import ModelCard
from harness.stats.paired import hodges_lehmann, signed_rank_bounds
from harness.tasks.preprocess import one_thread

CHECKOUT = Path(__file__).resolve().parent.parent
NULL = "serial again"
ARMS = {
    "serial": Execution("serial"), NULL: Execution("serial"), "stages": Execution("stages"),
    "steps": Execution("steps"), "2 streams": Execution("streams", 2), "3 streams": Execution("streams", 3),
}  # fmt: skip
TARGET, FREE, BATCH, FPS, DISTINCT, STEP = 1.5, 0.9, 4, 30.0, 24, 25
SPIN_S = 2.0
HEADS = (("frames/s", 9), ("p50 ms", 10), ("p99 ms", 10), ("cores", 9), ("cpu ms", 11))


@dataclass(frozen=True)
class Block:
    """One arm over the frames once: wall and processor seconds, and what was measured."""

    wall_s: float
    cpu_s: float
    run: CascadeRun


def job_of(card: ModelCard, variant: str, plan: Plan) -> Job:
    """One model on ONNX Runtime, one thread."""
    return Job(
        case=Case("host", card.name, variant, "onnxruntime"), plan=plan, engine="onnxruntime", options={"threads": 1},
        model_path=str(card.file(variant, "onnx")), model_sha256="", frames_path="", input=card.input_spec("onnx"),
        task=card.task_spec(), outputs=card.outputs("onnx"), extra_inputs=card.extra_input_list(),
    )  # fmt: skip


def cabin_job(folder: Path, frames: int, models: Path, variant: str) -> CascadeJob:
    """The shipped pipeline over rendered frames, each of another recording."""
    cabin = Cabin(Path(), split="eval", frames=DISTINCT * STEP)
    write_pack(folder / "frames", (Frame(cabin[index * STEP].frame) for index in range(DISTINCT)))
    card, plan = read_cascade(CHECKOUT / "suites/pipelines/cabin"), Plan("bench", frames=frames, warmup_window=0)
    cards = models_of(card, models)
    return cascade_job(card, cards, {one: job_of(cards[one], variant, plan) for one in cards}, folder / "frames", plan)


def block(job: CascadeJob, crew: Crew) -> Block:
    """The plan's frames once."""
    wall, cpu = time.perf_counter(), time.process_time()
    run = run_frames(job, crew, camera_frames(job), lambda *words: None)
    return Block(time.perf_counter() - wall, time.process_time() - cpu, run)


def rounds_of(job: CascadeJob, rounds: int) -> Iterator[dict[str, list[Block]]]:
    """Of each round two blocks of each arm."""
    chance = random.Random(0)
    with ExitStack() as stack:
        jobs = {name: replace(job, execution=execution) for name, execution in ARMS.items()}
        crews = {name: stack.enter_context(loaded(one)) for name, one in jobs.items()}
        for name in ARMS:
            block(jobs[name], crews[name])
        for _ in range(rounds):
            order = chance.sample(list(ARMS), len(ARMS))
            found: dict[str, list[Block]] = {name: [] for name in ARMS}
            for name in (*order, *reversed(order)):
                found[name].append(block(jobs[name], crews[name]))
            yield found


def differences(found: dict[str, list[Block]]) -> dict[str, str]:
    """Of each arm how its answers differ from the serial ones; only arms that do."""
    wanted = found["serial"][0].run
    told = {name: first_difference(wanted, one.run) for name, blocks in found.items() for one in blocks}
    return {name: sentence for name, sentence in told.items() if sentence}


def ratio(rounds: list[dict[str, list[Block]]], name: str) -> tuple[float, float, float]:
    """How many times the serial throughput, with its 95 % interval."""
    logs = np.array([math.log(wall_s(one["serial"]) / wall_s(one[name])) for one in rounds])
    low, high = signed_rank_bounds(logs, 0.025)
    return math.exp(hodges_lehmann(logs)), math.exp(low), math.exp(high)


def wall_s(blocks: list[Block]) -> float:
    return sum(one.wall_s for one in blocks)


def line(rounds: list[dict[str, list[Block]]], name: str) -> str:
    """One arm: ratio, frames per second, end-to-end times, cores used, processor time of a frame."""
    blocks = [one for found in rounds for one in found[name]]
    frames = sum(len(one.run.stamps) for one in blocks)
    wall, cpu = wall_s(blocks), sum(one.cpu_s for one in blocks)
    end_ms = np.concatenate([one.run.end_to_end_ns for one in blocks]) / 1e6
    estimate, low, high = ratio(rounds, name)
    return (
        f"{name:<14}{estimate:>6.2f} [{low:.2f}, {high:.2f}]{frames / wall:>9.1f}{np.percentile(end_ms, 50):>10.1f}"
        f"{np.percentile(end_ms, 99):>10.1f}{cpu / wall:>9.2f}{1000 * cpu / frames:>11.2f}"
    )


def judged(rounds: list[dict[str, list[Block]]], cores: int, free: float) -> str:
    """Whether the best arm reaches the target for sure, in a sentence; undecided where others had the cores.

    free: cores that as many spinning processes had.
    """
    best = max(list(ARMS)[2:], key=lambda name: ratio(rounds, name)[1])
    (_, low, high), (had, cpu_s), (_, best_cpu_s) = ratio(rounds, best), used(rounds, "serial"), used(rounds, best)
    ceiling = f"the processor time of a frame allows at most {cores * cpu_s / best_cpu_s:.2f} on {cores} free cores"
    if had < FREE or free < FREE * cores:
        why = f"the serial one had {had:.2f} of a core, {cores} spinning processes {free:.2f} of {cores}"
        return f"target {TARGET}: undecided at {best} [{low:.2f}, {high:.2f}]: {why}; {ceiling}"
    said = "reaches it" if low >= TARGET else "does not reach it" if high < TARGET else "may reach it or not"
    return f"target {TARGET}: {best} {said}, [{low:.2f}, {high:.2f}]; {ceiling}"


def spun(count: int) -> float:
    """Cores that so many processes had which do nothing but spin, for a second."""
    script = f"import time\nend = time.time() + {SPIN_S}\nwhile time.time() < end: pass\nprint(time.process_time())"
    command = [sys.executable, "-S", "-c", script]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    return sum(float(one.communicate()[0]) for one in running) / SPIN_S


def used(rounds: list[dict[str, list[Block]]], name: str) -> tuple[float, float]:
    """Cores that an arm had, and its processor seconds."""
    blocks = [one for found in rounds for one in found[name]]
    cpu_s = sum(one.cpu_s for one in blocks)
    return cpu_s / wall_s(blocks), cpu_s


def print_stages(rounds: list[dict[str, list[Block]]]) -> None:
    """Medians over the serial frames where a stage ran."""
    runs = [one.run for found in rounds for one in found["serial"]]
    for number, name in enumerate(runs[0].names):
        ran = np.concatenate([one.work_ns[:, number] > 0 for one in runs])
        steps = [
            np.median(np.concatenate([one.step_ns(step)[:, number] for one in runs])[ran]) / 1e6
            for step in ("pre", "infer", "post")
        ]
        print(f"{name:<14}" + "".join(f"{one:>9.3f}" for one in steps) + f"{100 * ran.mean():>9.0f} % of the frames")


def opened(job: CascadeJob, folder: Path) -> CascadeJob:
    """The same models with an open batch dimension: the shipped ones take one picture."""
    import onnx

    stages = []
    for stage in job.stages:
        model = onnx.load(stage.job.model_path)
        for tensor in (*model.graph.input, *model.graph.output):
            tensor.type.tensor_type.shape.dim[0].dim_param = "batch"
        del model.graph.value_info[:]
        path = folder / f"{stage.name}.onnx"
        onnx.save(model, path)
        stages.append(replace(stage, job=replace(stage.job, model_path=str(path))))
    return replace(job, stages=tuple(stages))


def print_batch(job: CascadeJob, folder: Path) -> None:
    """What batching gives, and why it does not for the models as they are shipped."""
    with loaded(job) as crew:
        try:
            measure_batch(job, crew, camera_frames(job), "eyes", BATCH, 20)
        except HarnessError as error:
            print(f"batch of {BATCH}: {error.sentence}")
    with loaded(opened(job, folder)) as crew:
        for name in ("eyes", "gaze", "distraction"):
            times = measure_batch(job, crew, camera_frames(job), name, BATCH, 60)
            found = price(times, FPS)
            print(
                f"batch of {BATCH}, opened, {name}: {found.gain:.2f} times less inference, outputs at most "
                f"{times.largest_difference:.1g} apart; the first frame's answer is {found.added_first_ms:.1f} ms "
                f"later, the mean one {found.added_mean_ms:.1f} ms, at {FPS:g} fps"
            )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--models", type=Path, default=CHECKOUT / "suites/models")
    parser.add_argument("--variant", default="int8")
    asked = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: asked.cores])
    one_thread()
    print(f"load {os.getloadavg()[0]:.1f} before, on {os.cpu_count()} cores, {asked.cores} of them taken")
    before = spun(asked.cores)
    with tempfile.TemporaryDirectory() as folder:
        job = cabin_job(Path(folder), asked.frames, asked.models, asked.variant)
        rounds = list(rounds_of(job, asked.rounds))
        wrong = {name: said for found in rounds for name, said in differences(found).items()}
        print("answers: " + ("; ".join(f"{name}: {said}" for name, said in wrong.items()) or "equal to the last bit"))
        heads = "".join(f"{one:>{width}}" for one, width in HEADS)
        print(f"{'':<14}{'ratio [95 %]':<19}{heads}")
        for name in ARMS:
            print(line(rounds, name))
        alone, together = spun(1), spun(asked.cores)
        print(judged(rounds, asked.cores, min(before, together)))
        print(f"spinning processes: {alone:.2f} of a core alone; {before:.2f} of {asked.cores} together before, "
              f"{together:.2f} after")  # fmt: skip
        print(f"{'serial, ms':<14}{'pre':>9}{'infer':>9}{'post':>9}")
        print_stages(rounds)
        print_batch(job, Path(folder))


if __name__ == "__main__":
    main()
