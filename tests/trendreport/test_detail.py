"""A session in detail: what differs, how its frames lie beside the baseline's, and what reproduces it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.case import Run
from harness.record import RecordedVerdict, SessionRecord
from harness.telemetry import Channel, Trace, empty_trace
from harness.trendreport.detail import detail_of
from tests.trendreport.handmade import HOSTILE
from tests.trendreport.histories import IDENTITY, budget, frames_run, session

KEYS = {
    "id", "at", "case", "environment", "baseline", "context", "provenance", "verdicts", "quantiles_ms", "shift",
    "frames", "traces", "stages", "command", "commit", "subject", "notes",
}  # fmt: skip


def measured(day: int = 20, typical_ms: float = 5.0, processes: int = 3, **changes: Any) -> SessionRecord:
    """A session with raw frames."""
    runs = tuple(frames_run(typical_ms, seed=100 * day + one) for one in range(processes))
    return session(day, {"frame_p50_ms": (typical_ms,)}, **{"runs": runs, **changes})


def accepted(count: int = 12, **changes: Any) -> list[SessionRecord]:
    """Accepted sessions that differ by a per cent or so."""
    return [measured(day, 5.0 * (1 + 0.01 * np.sin(day)), purpose="accept", **changes) for day in range(count)]


def with_traces(*traces: Trace, **changes: Any) -> SessionRecord:
    """A session of one process with these traces."""
    return measured(runs=(replace(frames_run(), traces=traces),), **changes)


def trace(unit: str, values: list[float], name: str = "one", every_ns: int = 50_000_000) -> Trace:
    """Samples of one channel from the first frame on."""
    time = np.arange(len(values), dtype=np.int64) * every_ns
    return Trace("probe", (Channel(name, unit),), time, np.array(values).reshape(-1, 1), every_ns)


def test_a_session_beside_its_baseline_is_told_in_full_and_in_strict_json():
    found = detail_of(measured(typical_ms=5.5), accepted(), accepted=True)
    assert found.keys() == KEYS
    assert len(found["quantiles_ms"]) == len(found["baseline"]["quantiles_ms"]) == 101
    assert found["quantiles_ms"][50] == pytest.approx(5.5, rel=0.01)
    assert min(found["shift"]["low"]) > 0
    assert found["shift"]["ratio_percent"][9] == pytest.approx(10.0, abs=2.0)
    assert found["baseline"]["what"] == "12 accepted sessions until 2026-01-12"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_a_detail_of_three_processes_takes_at_most_ten_kilobytes():
    runs = tuple(frames_run(seed=one) for one in range(3))
    verdicts = tuple(budget(f"metric_{one}", 5.0, 50.0) for one in range(8))
    found = detail_of(measured(runs=runs, verdicts=verdicts), accepted())
    assert len(json.dumps(found, separators=(",", ":"))) <= 10_240


def test_without_runs_what_is_known_is_still_told():
    found = detail_of(session(3, {"frame_p50_ms": (5.0,)}, verdicts=(budget("frame_p99_ms", 60.0, 50.0),)), ())
    assert found["quantiles_ms"] is found["shift"] is found["baseline"] is None
    assert found["frames"] == found["traces"] == found["stages"] == found["environment"] == []
    assert found["verdicts"] == [
        {"metric": "frame_p99_ms", "outcome": "FAIL", "gate": True, "sentence": "60 against 50"}
    ]  # fmt: skip


def test_one_frame_is_drawn_and_has_no_shift():
    found = detail_of(measured(runs=(frames_run(frames=1),)), accepted())
    assert found["frames"][0]["count"] == 1
    assert len(set(found["quantiles_ms"])) == 1
    assert found["shift"] is None


def test_a_process_without_frames_is_an_empty_one():
    nothing = np.zeros(0, np.int64)
    silent = Run(
        stages={"pre": nothing, "infer": nothing, "post": nothing}, frame_ns=nothing, start_ns=nothing, cpu_ns=nothing,
        warmup_ns=nothing, marks={"load_ns": 2e8}, facts={},
    )  # fmt: skip
    found = detail_of(measured(runs=(silent,)), accepted())
    assert found["frames"] == [{"count": 0, "seconds": [], "low_ms": [], "high_ms": []}]
    assert found["quantiles_ms"] is None
    assert found["stages"] == [{"name": "load", "ms": 200.0}]


@pytest.mark.parametrize(
    ("kept", "words"), [(0, "; none of them have raw times left"), (1, "; 1 of them has raw times left"), (12, "")]
)
def test_a_baseline_says_how_much_of_its_raw_times_is_left(kept, words):
    baseline = [one if index < kept else replace(one, runs=()) for index, one in enumerate(accepted())]
    found = detail_of(measured(), baseline, accepted=True)
    assert found["baseline"]["what"] == f"12 accepted sessions until 2026-01-12{words}"
    assert (found["baseline"]["quantiles_ms"] is None) == (found["shift"] is None) == (kept == 0)
    assert found["quantiles_ms"] is not None


def test_without_accepted_sessions_the_baseline_is_called_what_it_is():
    found = detail_of(measured(), [measured(day) for day in range(4)])
    said = "4 earlier sessions of one build until 2026-01-04"
    assert found["baseline"]["what"] == f"{said}; this history holds no accepted session under these conditions"
    assert found["shift"] is not None


def test_a_session_under_other_conditions_is_compared_in_its_surroundings_only():
    other = replace(accepted(1)[0], identity={**IDENTITY, "version": "1.2.2", "cores": 8})
    found = detail_of(measured(), [other])
    assert ["version", "1.2.2", "1.2.3"] in found["environment"]
    assert ["cores", "8", "4"] in found["environment"]
    assert "not comparable" in found["baseline"]["what"]
    assert found["baseline"]["quantiles_ms"] is found["shift"] is None


def test_the_environment_names_the_builds_and_the_settings_that_differ():
    def with_mode(mode: str, **changes: Any) -> SessionRecord:
        sensor = replace(trace("C", [40.0, 41.0]), facts={"power_mode": mode, "online_cores": [0, 1]})
        return with_traces(sensor, context={"kernel": mode, "background_percent": len(mode)}, **changes)

    before, now = with_mode("15W", day=1, purpose="accept"), with_mode("MAXN")
    found = detail_of(now, [before])["environment"]
    assert ["commit", "000000000001", "000000000014"] in found
    assert ["probe: power_mode", "15W", "MAXN"] in found
    assert ["kernel", "15W", "MAXN"] in found
    names = [name for name, _, _ in found]
    assert not {"run", "command", "background_percent", "probe: online_cores", "harness"} & set(names)


def test_settings_that_only_one_side_can_tell_are_no_difference():
    sensor = replace(trace("C", [40.0, 41.0]), facts={"power_mode": "MAXN"})
    found = detail_of(with_traces(sensor), [replace(one, runs=()) for one in accepted(1)])
    assert "probe: power_mode" not in [name for name, _, _ in found["environment"]]


def test_a_spike_survives_the_thinning():
    run = frames_run(frames=20_000)
    run.frame_ns[12_345] = 80_000_000
    frames = detail_of(measured(runs=(run,)), ())["frames"][0]
    assert frames["count"] == 20_000
    assert len(frames["seconds"]) == len(frames["low_ms"]) == len(frames["high_ms"]) <= 400
    assert max(frames["high_ms"]) == 80.0
    assert frames["seconds"] == sorted(frames["seconds"])
    assert frames["seconds"][0] == 0.0


def test_sensors_lie_on_the_clock_of_their_process_in_units_that_are_read():
    found = detail_of(
        with_traces(trace("C", [41.0, 42.0, 43.0], "GPU"), trace("mW", [5500.0, 6500.0], "VIN"),
                    trace("kHz", [1.2e6, 1.3e6], "cpu0.cur")), ()
    )["traces"]  # fmt: skip
    assert [(one["name"], one["unit"]) for one in found] == [("GPU", "C"), ("VIN", "W"), ("cpu0.cur", "MHz")]
    assert [one["value"] for one in found] == [[41.0, 42.0, 43.0], [5.5, 6.5], [1200.0, 1300.0]]
    start_s = float(frames_run().start_ns[0]) / 1e9
    assert found[0]["seconds"] == pytest.approx([0 - start_s, 0.05 - start_s, 0.1 - start_s], abs=1e-3)


def test_a_counter_of_energy_is_drawn_as_power_and_nothing_where_it_was_set_back():
    values = [100.0, 100.0, 400.0, 700.0, 5.0, 305.0]
    (found,) = detail_of(with_traces(trace("mJ", values)), ())["traces"]
    # 300 mJ in 100 ms, in 50 ms, set back, and in 50 ms.
    assert found["value"] == [3.0, 6.0, 6.0]
    assert found["unit"] == "W"


@pytest.mark.parametrize(
    "silent",
    [empty_trace("heat", "no such file"), trace("C", []), trace("C", [float("nan")] * 5),
     Trace("none", (), np.arange(3), np.zeros((3, 0)), 1), trace("events", [0.0, 1.0]),
     trace("kHz", [1.0], "cpu0.max")],
    ids=["missing", "no samples", "nothing known", "no channels", "another quantity", "a limit"],
)  # fmt: skip
def test_a_sensor_that_tells_nothing_is_no_line(silent):
    assert detail_of(with_traces(silent), ())["traces"] == []


def test_long_traces_keep_their_extremes_and_level_ones_their_ends():
    wild = np.random.default_rng(1).standard_normal(5000).round(3)
    wild[777] = 99.0
    level = [50.0] * 5000
    found = detail_of(with_traces(trace("C", wild.tolist(), every_ns=300_000), trace("C", level, "level")), ())[
        "traces"
    ]
    assert len(found[0]["value"]) <= 200
    assert max(found[0]["value"]) == 99.0
    assert found[1]["value"] == [50.0, 50.0]


def test_clocks_that_move_together_are_one_line_and_too_many_lines_are_counted():
    cores = Trace(
        "clocks", tuple(Channel(f"cpu{one}.cur", "kHz") for one in range(8)), np.arange(3) * 10**9,
        np.tile([[1e6], [2e6], [1e6]], 8), 10**9,
    )  # fmt: skip
    heat = [trace("C", [float(one), one + 1.0], f"zone{one}") for one in range(20)]
    found = detail_of(with_traces(cores), ())
    assert [one["name"] for one in found["traces"]] == ["cpu0.cur (+7 alike)"]
    many = detail_of(with_traces(*heat), ())
    assert len(many["traces"]) == 12
    assert many["notes"] == ["process 0: 8 more channels are left out"]


def test_stages_are_medians_of_all_processes_in_milliseconds():
    found = {one["name"]: one["ms"] for one in detail_of(measured(), ())["stages"]}
    assert list(found) == ["load", "pre", "infer", "post", "harness"]
    assert found["load"] == 150.0
    assert found["infer"] == pytest.approx(2.5, rel=0.02)
    assert found["harness"] == 0.0009


def test_rounds_beside_another_build_have_that_build_as_their_baseline():
    reference, candidate = frames_run(5.0, seed=1), replace(frames_run(5.5, seed=2), start_ns=np.zeros(0, np.int64))
    found = detail_of(measured(purpose="paired", runs=(reference, candidate)), accepted())
    assert "round by round" in found["baseline"]["what"]
    assert found["baseline"]["quantiles_ms"][50] == pytest.approx(5.0, rel=0.01)
    assert found["quantiles_ms"][50] == pytest.approx(5.5, rel=0.01)
    assert "rounds" in found["shift"]["basis"]
    assert len(found["frames"]) == 1
    assert found["frames"][0]["seconds"][0] == 0.0


@pytest.mark.parametrize(
    ("commit", "command", "shown"),
    [
        ("abc123def456", "pytest suites/ -k 'a b'", "git checkout abc123def456 && pytest suites/ -k 'a b'"),
        ("abc123def456+", "pytest", "git checkout abc123def456 && pytest  # files differed from abc123def456 then"),
        ("", "pytest", "pytest"),
        ("abc123def456", "", ""),
        ("v1; rm -rf ~", "pytest", "pytest"),
        ("--upload-pack=x", "pytest", "pytest"),
        (
            "abc123def456",
            "pytest\nrm -rf ~\x1b[2K\u202e",
            r"git checkout abc123def456 && pytest\nrm -rf ~\x1b[2K\u202e",
        ),
    ],
)
def test_the_command_reproduces_and_hides_nothing(commit, command, shown):
    found = detail_of(measured(provenance={"commit": commit, "command": command}), ())
    assert found["command"] == shown


def test_hostile_names_become_visible_text():
    hostile = RecordedVerdict(
        metric=HOSTILE, outcome=HOSTILE, gate=True, rule=HOSTILE, inputs={}, sentence=HOSTILE, value=None, limit=None
    )
    before = with_traces(trace("C", [1.0, 2.0], HOSTILE), identity={HOSTILE: HOSTILE}, day=1)
    now = with_traces(
        replace(trace("C", [1.0, 2.0], HOSTILE), facts={HOSTILE: [HOSTILE]}), identity={HOSTILE: "x"},
        context={HOSTILE: HOSTILE}, verdicts=(hostile,),
        provenance={HOSTILE: HOSTILE, "commit": HOSTILE, "subject": HOSTILE, "command": HOSTILE},
    )  # fmt: skip
    found = detail_of(now, [before])
    assert all(one.isprintable() for one in texts(found))
    assert any("<script>" in one for one in texts(found))


def texts(value: Any) -> list[str]:
    """Every text in plain data, keys too."""
    if isinstance(value, dict):
        return [one for pair in value.items() for part in pair for one in texts(part)]
    if isinstance(value, list):
        return [one for part in value for one in texts(part)]
    return [value] if isinstance(value, str) else []
