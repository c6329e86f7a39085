"""The camera at the entrance of a cascade that works on several frames at once."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from harness.camera import Arrivals, due_ns
from harness.camera.pacing import paced_of_run
from harness.cameratimes import camera_times
from harness.cascade import Execution
from harness.cascade.admission import admitted
from harness.cascade.flow import Gate, Node, flow, lanes
from harness.cascade.measure import measure_cascade
from harness.cascade.recording import record_cascade
from harness.cascade.records import first_difference
from harness.errors import ConfigError
from harness.frames import Frame
from harness.measure import ignore_records
from harness.measurement import residual_fault
from tests.cascade.conftest import quiet

MS = 1_000_000
FRAMES = [Frame(np.full((2, 2), grey, np.uint8)) for grey in range(5)]


def busy_ms(duration_ms):
    """Work of a stage that takes as long; the flight keeps when it began."""

    def work(flight):
        flight.between.setdefault(0, time.perf_counter_ns())
        time.sleep(duration_ms / 1000)

    return work


def through(policy, shape, count=80):
    """The flights of `count` frames, 2 ms apart, through two stages of 10 ms, in a chain or side by side or in turn."""
    schedule, nothing = due_ns(Arrivals(fps=500), count), (lambda: None)
    gates = [Gate(), Gate()] if shape == "lanes" else [Gate()]
    flights = admitted(FRAMES, 1, schedule, policy, gates)
    if shape == "lanes":
        return list(lanes([busy_ms(10), busy_ms(10)], flights, nothing, gates))
    after = ("first",) if shape == "chain" else ()
    nodes = [Node("first", (), busy_ms(10)), Node("second", after, busy_ms(10))]
    return list(flow(nodes, flights, nothing, gates))


@pytest.mark.parametrize("shape", ["chain", "beside", "lanes"])
def test_the_newest_frame_waits_while_the_entrance_is_occupied(shape):
    found = through("drop-stale", shape)
    numbers = [one.number for one in found]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 79  # the newest is never left
    assert len(found) < 40
    assert [one.index for one in found] == list(range(len(found)))
    assert [int(one.pixels[0, 0]) for one in found] == [number % 5 for number in numbers]
    # Were a frame taken into a queue and left there, it would be a whole stage old when its work begins.
    assert np.median([one.between[0] - one.due_ns for one in found]) < 6 * MS


def test_a_queue_loses_nothing_and_responses_grow():
    found = through("queue", "chain", count=20)
    assert [one.number for one in found] == list(range(20))
    waits = [one.between[0] - one.due_ns for one in found]
    assert waits[-1] > 60 * MS


def test_a_camera_that_blocks_captures_when_the_entrance_is_free():
    found = through("block", "beside", count=20)
    assert [one.number for one in found] == list(range(20))
    assert (np.diff([one.due_ns for one in found])[1:] >= 1.9 * MS).all()
    assert np.median([one.between[0] - one.due_ns for one in found[3:]]) < 6 * MS


@pytest.mark.parametrize("mode", ["stages", "steps", "streams"])
def test_a_real_cascade_keeps_a_cameras_pace_overlapped_with_the_serial_answers(cabin_job, mode):
    plan = replace(cabin_job.plan, frames=24, warmup_window=3, warmup_cap_frames=6, arrivals=Arrivals(40, "queue"))
    kept = []
    job = replace(cabin_job, plan=plan, execution=Execution(mode))
    record_cascade(job, quiet, lambda *both: kept.append(both), ignore_records)
    ((run, cascade),) = kept
    assert first_difference(measure_cascade(cabin_job, quiet), cascade) == ""
    assert cascade.camera["index"].tolist() == run.camera["index"].tolist() == list(range(24))
    paced = paced_of_run(run)
    assert (paced.start_ns >= paced.due_ns).all()
    assert camera_times(paced, plan.arrivals).dropped_per_10000 == 0
    assert residual_fault(run) == ""
    assert run.facts["cascade"]["execution"] == mode
    assert not len(run.cpu_ns)


def test_simulated_engines_that_overlap_have_no_time_in_common_with_a_camera(simulated_cascade):
    job = simulated_cascade({"face": {}, "eyes": {"after": ("face",)}}, "stages", arrivals=Arrivals())
    with pytest.raises(ConfigError, match="no camera's time passes for all of them"):
        record_cascade(job, quiet, lambda *both: None, ignore_records)
