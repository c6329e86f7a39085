"""The simulated engine: the same numbers everywhere, faults where they were planted."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.errors import ConfigError, EngineError
from harness.runtimes import FORMATS, RUNTIMES, open_runtime
from harness.runtimes.simulated import CLOCK_READ_NS, DEFAULTS, SimulatedMemory, VirtualClock

DARK, BRIGHT = (np.full((1, 1, 20, 32), grey, np.float32) for grey in (0.1, 0.9))


@pytest.fixture
def opened(tmp_path):
    """The engine over a .sim file with this content, loaded."""

    def open_it(content=None, **options):
        path = tmp_path / "model.sim"
        path.write_text(json.dumps(content or {}))
        engine = open_runtime("simulated", str(path), options)
        engine.prepare()
        return engine.__enter__()

    return open_it


def durations(engine, frames: int) -> list[int]:
    times = []
    for _ in range(frames):
        start = engine.clock.now_ns
        engine.infer({"image": DARK})
        times.append(engine.clock.now_ns - start)
    return times


def test_a_virtual_clock_passes_at_readings_and_when_told():
    clock = VirtualClock()
    assert [clock(), clock()] == [CLOCK_READ_NS, 2 * CLOCK_READ_NS]
    clock.advance(1000)
    assert clock() == 3 * CLOCK_READ_NS + 1000


def test_a_frame_takes_what_the_file_says(opened):
    assert durations(opened({"infer_ms": 7.5, "sigma": 0}), 3) == [7_500_000] * 3


def test_speed_divides_every_duration(opened):
    assert durations(opened({"infer_ms": 7.5, "sigma": 0}, speed=3), 1) == [2_500_000]
    loaded = opened({"load_ms": 30}, speed=3)
    assert loaded.clock.now_ns == 10_000_000


def test_a_drift_makes_every_frame_slower_than_the_last(opened):
    assert durations(opened({"infer_ms": 1, "sigma": 0, "drift_per_frame": 0.5}), 4) == [
        1_000_000, 1_500_000, 2_000_000, 2_500_000,
    ]  # fmt: skip


def test_a_tail_is_as_rare_and_as_slow_as_said(opened):
    times = np.array(durations(opened({"infer_ms": 1, "sigma": 0, "tail_share": 0.1, "tail_ms": 9}), 2000))
    assert set(times) == {1_000_000, 9_000_000}
    assert (times > 5_000_000).mean() == pytest.approx(0.1, abs=0.03)


def test_a_seed_decides_the_noise(opened):
    noisy = {"sigma": 0.1}
    assert durations(opened(noisy, seed=3), 20) == durations(opened(noisy, seed=3), 20)
    assert durations(opened(noisy, seed=3), 20) != durations(opened(noisy, seed=4), 20)


def test_real_time_is_slept(opened):
    engine = opened({"infer_ms": 30, "sigma": 0, "load_ms": 0}, real_time=True)
    start = time.perf_counter()
    engine.infer({"image": DARK})
    assert time.perf_counter() - start >= 0.03


@pytest.mark.parametrize(
    ("content", "dark", "bright"),
    [
        ({}, [0.9, 0.1], [0.1, 0.9]),
        ({"error_share": 1.0}, [0.1, 0.9], [0.9, 0.1]),
        ({"answer": "constant"}, [1, 0], [1, 0]),
        ({"answer": "nan"}, [np.nan, np.nan], [np.nan, np.nan]),
    ],
)
def test_an_answer_is_as_good_as_said(opened, content, dark, bright):
    engine = opened(content)
    for frame, scores in ((DARK, dark), (BRIGHT, bright)):
        assert engine.infer({"image": frame})["scores"] == pytest.approx(np.array([scores]), abs=1e-6, nan_ok=True)


def test_errors_belong_to_frames_and_come_again(opened):
    frames = [np.full((1, 1, 20, 32), grey, np.float32) for grey in np.linspace(0, 0.45, 300)]
    engine = opened({"error_share": 0.2})
    first, second = ([int(engine.infer({"image": one})["scores"].argmax()) for one in frames] for _ in range(2))
    assert first == second
    assert np.mean(first) == pytest.approx(0.2, abs=0.07)


def test_memory_grows_by_runtime_and_model(opened):
    engine = opened({"runtime_bytes": 5, "model_bytes": 7})
    assert engine.memory.resident_bytes() == 100_000_012


def test_the_high_water_mark_of_the_pretended_memory_can_be_reset():
    memory = SimulatedMemory()
    memory.grow(50)
    memory.grow(-20)
    assert memory.peak_bytes() == 100_000_050
    assert memory.reset_peak()
    assert memory.peak_bytes() == memory.resident_bytes() == 100_000_030


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "not a .sim file"),
        ("", "not a .sim file"),
        ("[1]", "not a .sim file"),
        ('{"infer": 3}', "unknown keys ['infer']"),
        ('{"infer_ms": "fast"}', "infer_ms"),
        ('{"fault": "melt"}', "melt"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name(tmp_path, content, said):
    (tmp_path / "bad.sim").write_text(content)
    with pytest.raises(EngineError) as caught:
        open_runtime("simulated", str(tmp_path / "bad.sim"), {}).prepare()
    assert said in caught.value.sentence
    assert "bad.sim" in caught.value.sentence


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(EngineError, match="No such file"):
        open_runtime("simulated", str(tmp_path / "no.sim"), {}).prepare()


def test_a_planted_refusal_comes_at_load_and_a_planted_failure_at_its_frame(opened):
    with pytest.raises(EngineError, match="refuses the model"):
        opened({"fault": "refuse"})
    engine = opened({"fault": "fail_at_run", "fault_at": 2})
    durations(engine, 2)
    with pytest.raises(RuntimeError, match="fails at this frame"):
        engine.infer({"image": DARK})


def test_memory_runs_out_at_its_frame(opened):
    with pytest.raises(MemoryError, match="ran out of memory"):
        opened({"fault": "out_of_memory"}).infer({"image": DARK})


@pytest.mark.parametrize("options", [{"sped": 2}, {"threads": 1}])
def test_an_unknown_option_is_refused(options):
    with pytest.raises(ConfigError, match=f"runtime options do not fit 'simulated'.*{next(iter(options))}"):
        open_runtime("simulated", "x.sim", options)


def test_an_unknown_engine_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="no runtime called 'simulatd', did you mean 'simulated'"):
        open_runtime("simulatd", "x.sim", {})


def test_the_shipped_model_is_as_fast_and_as_good_on_its_2000_frames_as_its_files_say(checkout, make_session, quick):
    plan = replace(quick, accuracy_frames=2000)
    session = make_session(checkout / "suites" / "models" / "simulated_eyes", plan=plan)
    found = {}
    for case in session.cases:
        measured = session.with_accuracy(case)
        found[case.variant] = (np.median(measured.runs[0].stages["infer"]) / 1e6, measured.score.value)
        assert (measured.score.frames, measured.score.of_frames) == (2000, 2000)
    speed_as_said = {"fp32": 8.0, "int8": 3.5}
    assert {name: infer_ms for name, (infer_ms, _) in found.items()} == pytest.approx(speed_as_said, rel=0.05)
    assert {name: value for name, (_, value) in found.items()} == pytest.approx({"fp32": 95, "int8": 94.5}, abs=1.5)


def test_it_says_that_it_is_simulated(opened):
    facts = opened().facts()
    assert facts["simulated"] is True
    assert facts["engine"] == "simulated"


def test_every_engine_says_which_formats_it_takes():
    assert set(FORMATS) == set(RUNTIMES)


def test_the_documentation_names_every_key():
    from harness.runtimes import simulated, simulated_sensors, simulated_wear

    told = f"{simulated.__doc__} {simulated_sensors.__doc__} {simulated_wear.__doc__}"
    assert [key for key in DEFAULTS if f"`{key}`" not in told] == []


def test_the_null_engine_computes_nothing():
    with open_runtime("null", "x.onnx", {}) as engine:
        first, second = (engine.infer({"input": frame}) for frame in (DARK, BRIGHT))
    assert first is second
    assert first["output"].tolist() == [[0, 0]]
    assert engine.facts()["engine"] == "null"
