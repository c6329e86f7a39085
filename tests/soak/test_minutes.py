"""What a soak looks like minute by minute, its ranking against another, and how it cools down."""

from __future__ import annotations

import numpy as np
import pytest

from harness.soak import Soak
from harness.soak.cooldown import CoolDown, cool_down, cool_down_of
from harness.soak.minutes import minutes
from harness.soak.ranking import Ranking, ranking
from harness.soak.simulated import Planted, simulated_soak
from harness.soak.verdict import judge
from harness.telemetry import Channel, PowerRule, Trace

RULE = PowerRule("one rail", "board", ("VDD_IN",), "module")


def soak_of_level(service_ms, slower=0.0):
    due_ns = np.arange(18_000) * 33_333_333
    noise = np.exp(0.05 * np.random.default_rng(round(service_ms)).standard_normal(len(due_ns)))
    return Soak(due_ns=due_ns, latency_ns=(1e6 * service_ms * noise * (1 + slower * (due_ns > 3e11))).astype(np.int64))


def powered(soak, watts):
    time_ns = np.arange(soak.start_ns - 10**9, soak.end_ns + 10**9, 10**8)
    trace = Trace("board", (Channel("VDD_IN", "mW"),), time_ns, np.full((len(time_ns), 1), 1e3 * watts), 10**8)
    return Soak(due_ns=soak.due_ns, latency_ns=soak.latency_ns, traces=(trace,), power=RULE)


def test_a_minute_tells_frames_heat_and_clocks_on_one_axis():
    rows = minutes(simulated_soak(1, Planted(slower=0.3)))
    assert [one.number for one in rows] == list(range(1, 11))
    assert sum(one.frames + one.dropped for one in rows) == 18_000
    first, last = rows[0], rows[-1]
    assert first.p50_ms < first.p99_ms <= first.max_ms
    assert last.p50_ms == pytest.approx(1.3 * first.p50_ms, rel=0.05)
    assert last.temperature_c > first.temperature_c + 5
    assert last.clocks_mhz["clocks/cpu0"] == pytest.approx(1200 / 1.3, rel=0.01)
    assert (first.throttled_share, last.throttled_share) == (0.0, 1.0)
    assert first.fps == pytest.approx(30, abs=0.5)


def test_power_is_the_mean_of_the_minute():
    rows = minutes(powered(simulated_soak(1, Planted(sensors=False), minutes=2), 7.5))
    assert [one.power_w for one in rows] == pytest.approx([7.5, 7.5])


def test_what_nobody_told_is_none():
    (row,) = minutes(simulated_soak(1, Planted(sensors=False), minutes=1))
    assert (row.temperature_c, row.throttled_share, row.power_w, dict(row.clocks_mhz)) == (None, None, None, {})
    bare = Soak(due_ns=np.arange(50) * 33_000_000, latency_ns=np.full(50, 10**7))
    (row,) = minutes(bare)
    assert (row.p99_ms, row.dropped, row.max_ms) == (None, None, 10.0)


@pytest.mark.parametrize(("length", "rows"), [(2.4, 2), (2.6, 3), (0.2, 1)])
def test_the_last_minute_counts_from_its_half_on(length, rows):
    assert len(minutes(simulated_soak(1, minutes=length))) == rows


def test_no_frames_have_no_minutes():
    assert minutes(Soak(due_ns=np.zeros(0, np.int64), latency_ns=np.zeros(0, np.int64))) == ()


def test_the_ranking_at_minute_1_need_not_be_the_ranking_at_minute_9():
    steady = soak_of_level(21.0)
    heating = soak_of_level(19.0, slower=0.3)
    found = ranking(heating, steady, ("heating", "steady"), late=9)
    assert isinstance(found, Ranking)
    assert found.reversed
    assert (found.early.quicker, found.late.quicker) == (0, 1)
    assert found.sentence.startswith("the ranking turns round: in minute 1 heating is quicker")


def test_equals_have_no_ranking():
    found = ranking(simulated_soak(3), simulated_soak(4), ("one", "other"), late=9)
    assert isinstance(found, Ranking)
    assert not found.reversed


def test_a_minute_that_is_not_there_is_said():
    assert ranking(simulated_soak(1), simulated_soak(2), ("one", "other")) == (
        "ranking: minute 30 has 0 pieces in both soaks, needs 8"
    )


def cooling(to_c, seconds=600.0, tau_s=60.0):
    at_s = np.arange(0, seconds, 1.0)
    return (at_s * 1e9).astype(np.int64), to_c + (80 - to_c) * np.exp(-at_s / tau_s)


def test_the_time_to_cool_down_is_told():
    found = cool_down(*cooling(40.0), start_c=40.0, from_ns=0)
    assert isinstance(found, CoolDown)
    assert found.seconds == pytest.approx(60 * np.log(40), abs=1)
    assert found.sentence == "cooled from 80.0 C to within 1 C of its start at 40.0 C in 222 s"


def test_a_device_that_stays_warm_is_said_to():
    found = cool_down(*cooling(45.0), start_c=40.0, from_ns=0)
    assert isinstance(found, CoolDown)
    assert found.seconds is None
    assert found.sentence == "did not cool down within 1 C of its start at 40.0 C in 599 s: still 45.0 C"


def test_one_cool_reading_among_hot_ones_is_none():
    celsius = np.array([60.0, 40.0, 60.0, 60.0, 41.0, 40.5, 40.5])
    found = cool_down(np.arange(7) * 10**9, celsius, start_c=40.0, from_ns=0)
    assert isinstance(found, CoolDown)
    assert found.seconds == 4.0


def test_no_temperature_after_the_load_is_said():
    assert cool_down(np.arange(5), np.full(5, np.nan), start_c=40, from_ns=0) == (
        "cool-down: 0 temperatures after the load, needs 3"
    )


def test_what_the_thermometer_told_after_the_last_frame_is_the_cool_down():
    at_s = np.arange(0, 900)
    celsius = np.where(at_s < 300, 40 + at_s / 10, 40 + 30 * np.exp(-(at_s - 300.0) / 60))
    trace = Trace("thermal", (Channel("soc", "C"),), at_s * 10**9, celsius[:, None], 10**9)
    due_ns = np.arange(9_000) * 33_333_333
    soak = Soak(due_ns=due_ns, latency_ns=np.full(9_000, 10**7), traces=(trace,))
    found = cool_down_of(soak)
    assert isinstance(found, CoolDown)
    assert found.seconds == pytest.approx(60 * np.log(30), abs=1.5)
    assert judge(soak).notes[-1] == f"afterwards it {found.sentence}"
    assert cool_down_of(simulated_soak(1, Planted(sensors=False))) == "cool-down: nobody told a temperature"
