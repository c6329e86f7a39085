"""Frames pushed as the camera sends them: over the simulated engine's own clock exactly, over the real one in kind."""

from __future__ import annotations

import gc
import io
import itertools
import time

import numpy as np
import pytest

from harness.camera import BLOCK, DROP_STALE, QUEUE, Arrivals, due_ns
from harness.camera.pacing import Waiting, pace, paced_of, waiting_of
from harness.camera.policies import simulate
from harness.cameratimes import generator_fault, misses, response_ns, tail
from harness.frames import Frame, read_pack
from harness.pipeline import CAMERA_RECORD, NullPipeline, Pipeline, push, split_records, table_of, write_records
from harness.runtimes import open_runtime
from harness.runtimes.simulated import VirtualClock
from harness.tasks import open_task
from tests.camera.stalls import FRAMES, PERIOD_MS, SERVICE_MS, STALLED, TABLE, Stalling

MS = 1_000_000
PICTURE = (Frame(np.zeros((4, 4), np.uint8)),)


@pytest.fixture
def camera(make_job, tmp_path):
    """The simulated engine behind the real pipeline; one of its inferences stalls, to last so long in all."""

    def build(stall_ms):
        job = make_job(sim={"infer_ms": SERVICE_MS, "sigma": 0.0})
        runtime = open_runtime(job.engine, job.model_path, job.options)
        runtime.prepare()
        pipeline = Pipeline(job, runtime.__enter__(), open_task(job.task, job.input))
        stall = Stalling(pipeline, STALLED, lambda: runtime.rest((stall_ms - SERVICE_MS) / 1e3))
        return runtime, stall, read_pack(tmp_path / "frames")

    return build


def printed(times_ns):
    found = tail(times_ns)
    return tuple(f"{one:.1f}" for one in (found.p99_ms, found.p999_ms, found.max_ms))


@pytest.mark.parametrize(("stall_ms", "policy"), TABLE)
def test_the_live_loop_gives_the_stall_table_to_the_printed_digit(camera, stall_ms, policy):
    runtime, pipeline, frames = camera(stall_ms)
    chunks = pace(frames, pipeline, due_ns(Arrivals(30.0), FRAMES), policy, waiting_of(runtime), runtime.clock)
    paced = paced_of(list(itertools.chain(*chunks)))
    over = tuple(misses(paced, budget_ms).late for budget_ms in (50.0, PERIOD_MS))
    found = (len(paced.index), len(paced.dropped), *printed(response_ns(paced)), *over)
    assert found == TABLE[stall_ms, policy]
    assert generator_fault(paced) == ""


@pytest.mark.parametrize("stall_ms", [103, 250, 1000])
def test_blocking_has_the_percentiles_of_the_closed_loop(camera, stall_ms):
    runtime, pipeline, frames = camera(stall_ms)
    closed = push(itertools.islice(itertools.cycle(frames), FRAMES), pipeline, runtime.clock, runtime.clock)
    times = split_records(closed)["frame"]
    assert (len(times), 0, *printed(times)) == TABLE[stall_ms, BLOCK][:5]


@pytest.mark.parametrize(("policy", "dropped", "late"), [(QUEUE, 0, 50), (DROP_STALE, 50, 1), (BLOCK, 0, 1)])
def test_a_stall_on_the_real_clock_shows_the_same_classes(policy, dropped, late):
    pipeline = Stalling(NullPipeline(), 60, lambda: time.sleep(1.0))
    chunks = pace(PICTURE, pipeline, due_ns(Arrivals(60.0), 180), policy, Waiting(), time.thread_time_ns)
    paced = paced_of(list(itertools.chain(*chunks)))
    # A busy machine adds a few to what the stall itself does; the classes are dozens apart.
    assert dropped <= len(paced.dropped) <= dropped + 20
    assert late <= misses(paced).late <= late + 20
    assert tail(response_ns(paced)).max_ms >= 1000
    assert sorted([*paced.index, *paced.dropped]) == list(range(180))


class Machine:
    """A clock of its own, whose sleepers wake late; stages that take so long; what it saw."""

    def __init__(self, *, service_ms=5.0, oversleeps_ms=0.0):
        self.clock = VirtualClock()
        self._service_ms, self._oversleeps_ms = service_ms, oversleeps_ms
        self.shown, self.collected = [], []

    def rest(self, seconds):
        self.clock.advance(round(seconds * 1e9 + self._oversleeps_ms * MS))

    def pre(self, frame):
        self.shown.append(int(frame.pixels[0, 0]))
        self.collected.append(gc.isenabled())
        return {}, None

    def infer(self, feeds):
        self.clock.advance(round(self._service_ms * MS))
        return feeds

    def post(self, outputs, geometry):
        return None

    def paced(self, policy, count=60, spin_ns=0, fps=30.0, pictures=PICTURE, meanwhile_ms=0.0):
        chunks = []
        waiting = Waiting(self.clock, self.rest, spin_ns)
        for chunk in pace(pictures, self, due_ns(Arrivals(fps), count), policy, waiting, self.clock):
            chunks.append(chunk)
            self.clock.advance(round(meanwhile_ms * MS))
        return chunks


def joined(chunks):
    return paced_of(list(itertools.chain(*chunks)))


def test_who_only_sleeps_wakes_late_and_the_run_is_invalid():
    paced = joined(Machine(oversleeps_ms=0.4).paced(QUEUE))
    assert len(paced.lateness_ns) == 60
    assert paced.lateness_ns == pytest.approx(0.4 * MS, rel=1e-3)
    assert "woken 0.40 ms late at P99" in generator_fault(paced)


def test_who_spins_the_last_millisecond_wakes_in_time():
    paced = joined(Machine(oversleeps_ms=0.4).paced(QUEUE, spin_ns=1_000_000))
    assert paced.lateness_ns.max() < 1000
    assert generator_fault(paced) == ""


def test_who_sleeps_through_a_frame_finds_the_newer_one():
    paced = joined(Machine(oversleeps_ms=40.0).paced(DROP_STALE))
    assert len(paced.dropped) == 30
    assert (np.diff(paced.index) == 2).all()


@pytest.mark.parametrize("policy", [QUEUE, DROP_STALE, BLOCK])
def test_no_frame_is_dropped_late_or_slipped_where_the_machine_keeps_up(policy):
    paced = joined(Machine().paced(policy))
    assert paced.index.tolist() == list(range(60))
    assert (np.diff(paced.due_ns) == np.diff(due_ns(Arrivals(30.0), 60))).all()
    assert response_ns(paced) == pytest.approx(5 * MS, rel=1e-3)


@pytest.mark.parametrize("policy", [QUEUE, DROP_STALE, BLOCK])
def test_the_live_loop_and_the_simulation_take_the_same_frames(policy):
    live = joined(Machine(service_ms=71.0).paced(policy))
    alone = simulate(due_ns(Arrivals(30.0), 60), np.full(60, 71 * MS), policy)
    assert live.index.tolist() == alone.index.tolist()
    assert live.dropped.tolist() == alone.dropped.tolist()
    assert response_ns(live) == pytest.approx(response_ns(alone), abs=50_000)


def test_a_dropped_frame_is_not_shown_later():
    machine = Machine(service_ms=71.0)
    pictures = tuple(Frame(np.full((2, 2), number, np.uint8)) for number in range(7))
    paced = joined(machine.paced(DROP_STALE, pictures=pictures))
    assert machine.shown == [index % 7 for index in paced.index]


def test_chunks_come_every_second_while_nothing_is_due():
    chunks = Machine().paced(DROP_STALE, count=300)
    assert [len(chunk) for chunk in chunks[1:-1]] == [30] * (len(chunks) - 2)
    assert len(joined(chunks).index) == 300


def test_what_the_caller_does_between_two_chunks_is_lateness_only_where_it_takes_too_long():
    short = joined(Machine().paced(DROP_STALE, count=300, meanwhile_ms=3.0))
    assert generator_fault(short) == ""
    long = joined(Machine().paced(DROP_STALE, count=300, meanwhile_ms=50.0))
    assert "ms late at P99" in generator_fault(long)


def test_a_machine_that_never_waits_still_hands_its_records_over():
    chunks = Machine(service_ms=40.0).paced(QUEUE, count=300)
    assert [len(chunk) for chunk in chunks[:-1]] == [100, 100]
    assert len(joined(chunks).lateness_ns) == 1


def test_records_survive_their_file_and_split_into_stages():
    chunks, file = Machine().paced(QUEUE), io.BytesIO()
    for chunk in chunks:
        write_records(chunk, file)
    table = table_of(file.getvalue(), CAMERA_RECORD)
    again, before = paced_of(table), joined(chunks)
    assert all((vars(again)[name] == vars(before)[name]).all() for name in vars(before))
    columns = split_records(table[:, 3:])
    assert columns["infer"] == pytest.approx(5 * MS, rel=1e-3)
    assert columns["cpu"] == pytest.approx(5 * MS, rel=1e-3)
    with pytest.raises(ValueError, match="reshape"):
        table_of(file.getvalue()[:-8], CAMERA_RECORD)


def test_nothing_is_collected_while_frames_are_paced_nor_left_off_after():
    machine = Machine()
    machine.paced(QUEUE)
    assert not any(machine.collected)
    assert gc.isenabled()


def test_a_loop_that_is_left_early_collects_again():
    machine = Machine()
    chunks = pace(PICTURE, machine, due_ns(Arrivals(30.0), 90), QUEUE, Waiting(machine.clock, machine.rest, 0), int)
    next(chunks)
    chunks.close()
    assert gc.isenabled()


def test_no_schedule_gives_no_chunk_and_no_picture_is_refused():
    assert Machine().paced(QUEUE, count=0) == []
    with pytest.raises(ValueError, match="no frames to show"):
        Machine().paced(QUEUE, pictures=())
