"""What is left of a clip's answers under a camera, with lost frames, and as in a recorded run."""

from __future__ import annotations

import numpy as np
import pytest

from harness.camera import Arrivals, Paced, due_ns
from harness.camera.policies import simulate
from harness.errors import ConfigError
from harness.events import CLOSED, NO_ANSWER, Answers
from harness.events.answering import Answered
from harness.events.conditions import AT_ONCE, as_recorded, at_the_cameras_pace, every_nth_lost, part

FPS, FRAMES, MS = 30.0, 90, 1_000_000


def answered(service_ms: float = 5.0, stall: int | None = None, fps: float = FPS) -> Answered:
    service = np.full(FRAMES, int(service_ms * MS))
    if stall is not None:
        service[stall] = 500 * MS
    shown = {CLOSED: np.ones(FRAMES, np.int8)}
    return Answered(answers=Answers(fps=fps, evidence=shown), service_ns=service)


def lost(found: Answers) -> list[int]:
    return np.flatnonzero(found.evidence[CLOSED] == NO_ANSWER).tolist()


def run(frames: int, *stalls: int, fps: float = FPS) -> Paced:
    service = np.full(frames, 5 * MS)
    service[list(stalls)] = 500 * MS
    return simulate(due_ns(Arrivals(fps=fps), frames), service, "drop-stale")


def test_at_once_nothing_is_lost_and_nothing_is_late() -> None:
    found = AT_ONCE.apply(0, answered(stall=10))
    assert lost(found) == []
    assert found.ready_at(10) == pytest.approx(10 / FPS)


def test_a_quick_system_keeps_every_frame_and_its_answers_come_one_service_time_later() -> None:
    found = at_the_cameras_pace(FPS, "drop-stale").apply(0, answered())
    assert lost(found) == []
    assert found.ready_at(30) == pytest.approx(1.005, abs=1e-6)


def test_a_stall_loses_frames_to_drop_stale_and_delays_them_in_a_queue() -> None:
    stalled = answered(stall=30)
    dropped = at_the_cameras_pace(FPS, "drop-stale").apply(0, stalled)
    assert lost(dropped) == list(range(31, 45))
    queued = at_the_cameras_pace(FPS, "queue").apply(0, stalled)
    assert lost(queued) == []
    assert queued.ready_at(31) == pytest.approx(1.5 + 0.005, abs=1e-6)


def test_a_system_slower_than_the_camera_loses_every_other_frame() -> None:
    found = at_the_cameras_pace(FPS, "drop-stale").apply(0, answered(service_ms=50.0))
    assert 28 <= len(lost(found)) <= 31


def test_every_third_frame_is_lost_in_each_clip() -> None:
    assert lost(every_nth_lost(3).apply(4, answered())) == list(range(2, FRAMES, 3))


def test_a_recorded_run_lays_its_next_part_over_each_clip_and_begins_anew() -> None:
    recorded = as_recorded(run(200, 10, 110), "last night")
    assert recorded.name == "as in last night"
    first, second, third = (lost(recorded.apply(number, answered())) for number in range(3))
    assert first == list(range(11, 25))
    assert second == list(range(21, 35))
    assert third == first


def test_a_part_of_a_run_keeps_the_times_of_its_frames() -> None:
    found = part(run(200, 110), 1, FRAMES)
    assert (found.index[0], found.dropped.tolist()) == (0, list(range(21, 35)))
    assert (found.end_ns - found.due_ns)[0] == 5 * MS


@pytest.mark.parametrize(
    ("recorded", "sentence"),
    [
        (run(60), "the recorded run has 60 camera frames and a clip 90"),
        (run(200, fps=60.0), "the camera's schedule is up to .* s away from that of the clip"),
        (run(200, fps=25.0), "use a fixed rate of 30 per second"),
    ],
)
def test_a_recorded_run_that_is_too_short_or_of_another_rate_is_refused(recorded: Paced, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        as_recorded(recorded, "it").apply(0, answered())


def test_cameras_and_losses_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="the camera waits, and the driver does not"):
        at_the_cameras_pace(FPS, "block")
    with pytest.raises(ConfigError, match="no policy called 'newest'"):
        at_the_cameras_pace(FPS, "newest")
    with pytest.raises(ConfigError, match="nothing would be left"):
        every_nth_lost(1)
