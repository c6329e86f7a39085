"""The jtop probe over a stand-in of the library: what it takes from a status, and what it refuses."""

from __future__ import annotations

import math
import sys
import types

import pytest

from harness.probes import ProbeError, open_probe

AGX_ORIN = {
    "rail": {"VDD_GPU_SOC": {"power": 2500, "avg": 1, "online": True}, "VIN_SYS_5V0": {"power": 3100, "avg": 1},
             "1-00081": {"power": 15000, "avg": 1}},
    "tot": {"power": 99999, "avg": 1},
}  # fmt: skip
ORIN_NANO = {
    "rail": {"VDD_SOC": {"power": 1400, "avg": 1}},
    "tot": {"power": 4800, "avg": 1, "name": "VDD_IN"},
}
WARM = {"cpu": {"temp": 45.5, "online": True}, "gpu": {"temp": -256, "online": False}, "tj": {"temp": 46}}


class StandIn:
    """A client of a service that sends its statuses when the test says so."""

    interval = 0.5

    def __init__(self, power, temperature):
        self.power, self.temperature = power, temperature
        self.observers, self.running, self.error, self.asked = [], False, None, None

    def __call__(self, interval):
        self.asked = interval
        return self

    def attach(self, observer):
        self.observers.append(observer)

    def start(self):
        if self.error:
            raise self.error
        self.send()
        self.running = True

    def send(self, **changes):
        for name, value in changes.items():
            setattr(self, name, value)
        for observer in self.observers:
            observer(self)

    def ok(self, spin=False):
        assert spin, "a blocking call would hold up the other sensors"
        if self.error:
            raise self.error
        return self.running

    def close(self):
        self.running = False


@pytest.fixture
def service(monkeypatch):
    """Install a stand-in with these values."""

    def install(power, temperature) -> StandIn:
        library = types.ModuleType("jtop")
        library.__version__ = "4.3.9"
        library.jtop = StandIn(power, temperature)
        monkeypatch.setitem(sys.modules, "jtop", library)
        return library.jtop

    return install


def named(opened, sample) -> dict:
    return dict(zip((one.name for one in opened.channels), sample[1]))


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (AGX_ORIN, {"VDD_GPU_SOC": 2500, "VIN_SYS_5V0": 3100}),
        (ORIN_NANO, {"VDD_SOC": 1400, "VDD_IN": 4800}),
        ({}, {}),
    ],
)
def test_rails_and_temperatures_are_taken_but_a_sum_or_a_negotiated_supply_never(service, power, expected):
    client = service(power, WARM)
    with open_probe("jtop", {}) as opened:
        client.send()
        (sample,) = opened.read()
        temperatures = {"temp.cpu": 45.5, "temp.gpu": "the sensor is off", "temp.tj": 46}
        assert named(opened, sample) == {**expected, **temperatures}
        assert {one.unit for one in opened.channels if one.name in expected} <= {"mW"}


def test_a_sample_comes_with_each_status_and_only_then(service):
    client = service(ORIN_NANO, WARM)
    with open_probe("jtop", {"interval_ms": 250}) as opened:
        assert opened.read() == []
        client.send()
        client.send(power={"rail": {}, "tot": {**ORIN_NANO["tot"], "power": 5000}})
        first, second = opened.read()
        assert first[0] <= second[0]
        assert named(opened, second)["VDD_IN"] == 5000
        assert named(opened, second)["VDD_SOC"] == "not in this status"
        assert opened.facts() == {"version": "4.3.9", "interval_ms": 500, "interval_ms_asked": 250}
        assert client.asked == 0.25
    assert not client.running


@pytest.mark.parametrize("value", [None, "NA", math.nan, math.inf, {}])
def test_a_value_that_is_no_number_is_a_reason(service, value):
    client = service(ORIN_NANO, WARM)
    with open_probe("jtop", {}) as opened:
        client.send(power={"rail": {"VDD_SOC": {"power": value}}, "tot": value}, temperature={"cpu": value})
        found = named(opened, opened.read()[0])
    assert found["VDD_SOC"] == "jtop gives no power for it"
    assert found["VDD_IN"] == "not in this status"
    assert found["temp.cpu"] == "jtop gives no temp for it"


def test_a_rail_that_is_offline_is_a_reason(service):
    client = service({"rail": {"BAT0": {"power": 0, "online": False}}}, WARM)
    with open_probe("jtop", {}) as opened:
        client.send()
        assert named(opened, opened.read()[0])["BAT0"] == "the sensor is off"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"running": False}, "jtop has ended"), ({"error": OSError("lost")}, "jtop has ended: lost")],
)
def test_a_service_that_ends_gives_the_reason_once_per_read(service, change, reason):
    client = service(AGX_ORIN, WARM)
    with open_probe("jtop", {}) as opened:
        for name, value in change.items():
            setattr(client, name, value)
        for _ in range(2):
            (sample,) = opened.read()
            assert set(sample[1]) == {reason}
            assert len(sample[1]) == len(opened.channels)


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jtop", None)
    with pytest.raises(ProbeError, match=r"not installed.*dms-harness\[jetson\]"), open_probe("jtop", {}):
        pass


def test_a_service_that_does_not_answer_is_refused(service):
    service(AGX_ORIN, WARM).error = PermissionError("no access")
    with pytest.raises(ProbeError, match=r"does not answer: no access.*systemctl"), open_probe("jtop", {}):
        pass


@pytest.mark.parametrize("temperature", [{}, None, {"cpu": {"temp": -256}}])
def test_a_service_without_one_reading_is_refused_and_left(service, temperature):
    client = service({}, temperature)
    with pytest.raises(ProbeError, match="neither"), open_probe("jtop", {}):
        pass
    assert not client.running
