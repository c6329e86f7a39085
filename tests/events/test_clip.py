"""A clip shows what its timeline says, the same whenever it is read, and the shipped models can be asked about it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.cascadecard import read_cascade
from harness.errors import ConfigError
from harness.events import CLOSED, EVIDENCE, OFF_ROAD, PHONE, YES, Event
from harness.events.answering import answer
from harness.events.clip import BehaviourClip
from harness.events.conditions import every_nth_lost
from harness.events.filters import StateFilter
from harness.events.timeline import Timeline, draw
from harness.events.trial import Trial, trial
from harness.eventscores.systems import Maker
from harness.profile import read_profile
from tests.simulated import CHECKOUT

pytest.importorskip("cv2")

MODELS = CHECKOUT / "suites" / "models"
EDGE_S = 0.3
# A recording in which nobody but the driver is in the car.
ALONE = 6
FILTER = StateFilter(window_s=0.4, on_share=1.0, off_share=0.4)


def of(*events: Event, duration_s: float = 8.0, number: int = 0, fps: float = 30.0) -> BehaviourClip:
    return BehaviourClip(Timeline(duration_s=duration_s, events=events), fps=fps, number=number)


def test_a_frame_is_the_same_whenever_it_is_read() -> None:
    clip, again = BehaviourClip(draw(1, 20.0)), BehaviourClip(draw(1, 20.0))
    later = clip[130].frame
    assert np.array_equal(clip[7].frame, again[7].frame)
    assert np.array_equal(again[130].frame, later)
    assert not np.array_equal(clip[7].frame, later)
    assert later.shape == (800, 1280)


@pytest.mark.parametrize("number", range(4))
def test_the_truth_of_a_clip_follows_its_timeline(number: int) -> None:
    clip = BehaviourClip(draw(200 + number, 30.0), fps=10.0, number=number)
    planned, edges = clip.timeline.truth(10.0), [t for one in clip.timeline.events for t in (one.onset_s, one.end_s)]
    for name in EVIDENCE:
        for frame in np.flatnonzero(clip.truth.evidence[name] != planned.evidence[name]):
            seconds = frame / 10.0
            near_an_edge = min(abs(seconds - one) for one in edges) <= EDGE_S
            held = [one for one in clip.timeline.events if name in one.may_show]
            assert near_an_edge or any(one.onset_s <= seconds <= one.end_s for one in held), (name, seconds)


@pytest.mark.parametrize("length_s", [0.1, 0.2, 0.4])
def test_every_blink_shuts_the_eyes_for_a_moment(length_s: float) -> None:
    clip = of(Event(kind="blink", onset_s=2.0, end_s=2.0 + length_s), duration_s=4.0, fps=60.0)
    shut = np.flatnonzero(clip.truth.evidence[CLOSED] == YES)
    assert 2.0 - length_s / 2 <= shut[0] / 60 <= shut[-1] / 60 <= 2.0 + 1.5 * length_s


def test_lids_and_gaze_move_smoothly() -> None:
    clip = of(Event(kind="sleep", onset_s=1.0, end_s=2.0), Event(kind="glance", onset_s=4.0, end_s=6.0), fps=60.0)
    drivers = [clip.scene(index).driver for index in range(len(clip))]
    assert np.abs(np.diff([one.opening for one in drivers])).max() < 0.2
    assert np.abs(np.diff([one.yaw for one in drivers])).max() < 6.0


def test_pose_and_light_drift_between_events() -> None:
    clip = of(duration_s=20.0, fps=5.0)
    seen = [clip.scene(index) for index in range(len(clip))]
    assert np.ptp([one.driver.x for one in seen]) > 2.0
    assert np.ptp([one.light.gain for one in seen]) > 0.01


def test_a_long_clip_keeps_no_frame() -> None:
    clip = BehaviourClip(draw(5, 60.0))
    assert len(clip) == 1800
    assert clip[1799].frame.nbytes == 1_024_000
    assert not any(isinstance(one, np.ndarray) and one.nbytes > 100_000 for one in vars(clip).values())


def test_the_fingerprint_tells_clips_apart() -> None:
    clips = [BehaviourClip(draw(1, 9.0)), BehaviourClip(draw(2, 9.0)), of(), of(fps=10.0), of(number=1)]
    assert len({one.fingerprint for one in clips}) == 5
    assert BehaviourClip(draw(1, 9.0)).fingerprint == clips[0].fingerprint


def test_a_clip_with_a_number_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="whole numbers from 0"):
        of(number=-1)


def test_an_index_beyond_the_clip_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        of(duration_s=1.0)[30]


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan")])
def test_a_clip_without_a_frame_rate_is_refused(fps: float) -> None:
    with pytest.raises(ConfigError, match="is no frame rate"):
        of(fps=fps)


def test_a_clip_too_short_for_one_frame_and_an_unknown_split_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"holds no frame at 30 per second"):
        of(duration_s=0.01)
    with pytest.raises(ConfigError, match="no cabin split called 'test'"):
        BehaviourClip(draw(1, 5.0), split="test")


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> Maker:
    pytest.importorskip("onnxruntime")
    return Maker(
        card=read_cascade(CHECKOUT / "suites" / "pipelines" / "cabin"), models=MODELS,
        profile=read_profile("host", CHECKOUT / "devices"), cache=tmp_path_factory.mktemp("cache"),
    )  # fmt: skip


@pytest.fixture(scope="module")
def short(maker: Maker) -> Trial:
    events = (Event(kind="microsleep", onset_s=0.6, end_s=2.0), Event(kind="glance", onset_s=3.5, end_s=4.5))
    clip, int8 = of(*events, duration_s=5.0, fps=5.0, number=ALONE), maker.system()
    systems = {"int8": int8, "fp32": maker.system("fp32"), "sure": replace(int8, true_regions=True)}
    return trial([clip], systems)


@pytest.mark.parametrize("system", ["int8", "fp32", "sure"])
def test_the_shipped_cascade_sees_closed_eyes(short: Trial, system: str) -> None:
    found = short.answered[0][system]
    assert set(found.answers.evidence) == {CLOSED, OFF_ROAD, PHONE}
    assert found.answers.evidence[CLOSED][4:9].all()
    assert found.answers.evidence[CLOSED][12:].sum() == 0
    assert (found.service_ns > 0).all()


def test_the_models_see_a_look_aside_where_they_are_shown_the_true_regions(short: Trial) -> None:
    assert short.answered[0]["sure"].answers.evidence[OFF_ROAD][19:22].all()
    assert short.answered[0]["sure"].answers.evidence[OFF_ROAD][:17].sum() == 0


def test_a_trial_scores_compares_and_drops(short: Trial) -> None:
    assert [one.kind for one in short.score("fp32", FILTER).demands] == ["microsleep"]
    assert short.score("fp32", FILTER).missed == ()
    assert short.compare("fp32", "int8", FILTER).loss == 0.0
    assert short.worse_under("fp32", FILTER, every_nth_lost(2)).loss == 1.0
    assert short.unanswered_share("fp32", every_nth_lost(5)) == pytest.approx(0.2)


def test_a_trial_of_nothing_and_a_system_that_is_not_in_it_are_refused(short: Trial) -> None:
    with pytest.raises(ConfigError, match="at least one clip and one system"):
        trial([], {})
    with pytest.raises(ConfigError, match="no system called 'int4'"):
        short.score("int4", FILTER)


def test_a_cascade_whose_models_tell_no_state_is_refused(maker: Maker) -> None:
    stages = tuple(one for one in maker.card.stages if one.name in ("face", "heads"))
    blind = replace(maker, card=maker.card.model_copy(update={"stages": stages})).system()
    with pytest.raises(ConfigError, match=r"no truth that alarms can rest on called 'faces, heads'"):
        answer(of(duration_s=1.0), {"heads": blind})


def test_a_variant_and_a_runtime_that_are_not_there_are_refused(maker: Maker) -> None:
    with pytest.raises(ConfigError, match="no variant called 'int4'"):
        maker.system("int4")
    with pytest.raises(ConfigError, match="no runtime called 'onnx'"):
        replace(maker, runtime="onnx").system()
