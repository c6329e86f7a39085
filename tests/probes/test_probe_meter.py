"""The meter probe over PyVISA-sim's instruments, and over a socket that speaks SCPI where PyVISA-py is installed."""

from __future__ import annotations

import math
import socket
import sys
import threading
import time
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.probes import ProbeError, open_probe
from harness.probes.meter import milliwatts

RESOURCE = "TCPIP0::198.51.100.4::5025::SOCKET"
BENCH = """
spec: "1.1"
devices:
  meter:
    eom:
      TCPIP SOCKET: {{q: "\\n", r: "\\n"}}
    error: SYNTAX
    dialogues:
      - {{q: "*IDN?", r: "Imaginary,PM-1,0042,1.7"}}
      - {{q: "MEAS:POW?", r: "{answer}"}}
      - {{q: "SILENT?"}}
      - {{q: "INP:MODE RMS"}}
    properties:
      power:
        default: {power}
        getter: {{q: "FETC?", r: "{{:+.4E}}"}}
        setter: {{q: "LOAD {{:.3f}}"}}
        specs: {{type: float}}
  mute:
    eom:
      TCPIP SOCKET: {{q: "\\n", r: "\\n"}}
    error: SYNTAX
    dialogues:
      - {{q: "*IDN?"}}
resources:
  TCPIP0::198.51.100.4::5025::SOCKET: {{device: meter}}
  TCPIP0::198.51.100.5::5025::SOCKET: {{device: mute}}
"""


@pytest.fixture
def bench(tmp_path):
    """The probe over a simulated bench whose meter answers so."""
    pytest.importorskip("pyvisa_sim")

    def make(answer="12.5", power=0.0, **options):
        path = tmp_path / "bench.yaml"
        path.write_text(BENCH.format(answer=answer, power=power), encoding="utf-8")
        return open_probe("meter", {"resource": RESOURCE, "backend": f"{path}@sim", "timeout_ms": 200, **options})

    return make


def test_the_power_is_told_in_milliwatts_with_the_meters_name(bench):
    with bench(" +1.2500E+01 ") as probe:
        assert [(one.name, one.unit) for one in probe.channels] == [("power", "mW")]
        assert probe.read()[0][1] == [12_500]
        identity = probe.facts()["identity"]
    assert identity == "Imaginary,PM-1,0042,1.7"


def test_each_reading_asks_the_meter_anew(bench):
    with bench(power=3.25, query="FETC?", setup=("INP:MODE RMS",)) as probe:
        assert probe.read()[0][1] == [3250]
    with bench(power=3.25, query="FETC?", setup=("LOAD 4.500",)) as probe:
        assert probe.read()[0][1] == [4500]


def test_the_unit_of_the_meter_is_the_profiles(bench):
    with bench("840", mw_per_unit=1.0) as probe:
        assert probe.read()[0][1] == [840]


@pytest.mark.parametrize("answer", ["OVLD", "12.5 W", "9.91E37", "nan", "SYNTAX", "1.0,2.0"])
def test_a_query_without_a_power_is_refused(bench, answer):
    with pytest.raises(ProbeError, match=r"meter (answered|has no value).*correct `query`"), bench(answer):
        pass


def test_a_query_that_the_meter_does_not_know_is_refused(bench):
    with pytest.raises(ProbeError, match=r"answered 'SYNTAX'.*WATTS\?"), bench(query="WATTS?"):
        pass


def test_a_query_without_an_answer_is_refused_within_the_timeout(bench):
    begin = time.monotonic()
    with pytest.raises(ProbeError, match=r"did not answer.*Timeout"), bench(query="SILENT?"):
        pass
    assert time.monotonic() - begin < 5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"resource": "TCPIP0::198.51.100.5::5025::SOCKET"}, r"does not answer \*IDN\?"),
        ({"resource": "TCPIP0::198.51.100.9::5025::SOCKET"}, r"answers nothing to \*IDN\?"),
        ({"resource": ""}, "cannot be opened"),
        ({"resource": "the meter"}, "cannot be opened"),
        ({"backend": "@absent"}, r"cannot be opened.*pyvisa_absent.*dms-harness\[meter\]"),
        ({"backend": "absent.yaml@sim"}, "cannot be opened"),
    ],
)
def test_a_meter_that_is_not_there_is_refused_with_a_remedy(bench, options, words):
    with pytest.raises(ProbeError, match=words) as caught, bench(**options):
        pass
    assert caught.value.remedy


def test_a_missing_library_is_named_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyvisa", None)
    with pytest.raises(ProbeError, match=r"not installed.*dms-harness\[meter\]"), open_probe("meter", {}):
        pass


def test_after_leaving_a_reading_is_a_reason(bench):
    with bench() as probe:
        pass
    assert "did not answer" in probe.read()[0][1][0]


@contextmanager
def instrument(*answers):
    """A meter on a socket that answers *IDN?, then each of these in turn; None: it stays silent, b"": it hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, [b"Imaginary,PM-2,7,1", *answers]), daemon=True)
        thread.start()
        yield f"TCPIP0::127.0.0.1::{server.getsockname()[1]}::SOCKET"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


def _serve(server, answers):
    try:
        connection, _ = server.accept()
    except OSError:
        return
    with connection, connection.makefile("rb") as asked:
        for answer in answers:
            if not asked.readline() or answer == b"":
                return
            if answer is not None:
                connection.sendall(answer + b"\n")
        asked.read()


@pytest.fixture
def socket_meter():
    pytest.importorskip("pyvisa_py", reason="PyVISA-py is not installed: nothing speaks to a real socket")
    return lambda resource: open_probe("meter", {"resource": resource, "timeout_ms": 300})


def test_a_network_address_without_a_meter_is_refused(socket_meter):
    with instrument() as resource:
        pass
    with pytest.raises(ProbeError, match="meter"), socket_meter(resource):
        pass


def test_a_meter_on_the_network_is_read(socket_meter):
    with instrument(b"7.25", b"7.5\r", b"-0.25") as resource, socket_meter(resource) as probe:
        assert [probe.read()[0][1] for _ in range(2)] == [[7500], [-250]]
        assert probe.facts()["identity"] == "Imaginary,PM-2,7,1"


@pytest.mark.parametrize("bad", [b"", b"OVLD", b"9.9E37", b"\xff\xfe", b"1" * 400, b"1e999"])
def test_an_answer_that_is_no_power_is_a_reason(socket_meter, bad):
    with instrument(b"7.25", bad, b"7.5") as resource, socket_meter(resource) as probe:
        assert isinstance(probe.read()[0][1][0], str)


def test_a_bad_answer_does_not_end_the_readings(socket_meter):
    with instrument(b"7.25", b"OVLD", b"7.5") as resource, socket_meter(resource) as probe:
        assert "'OVLD', which is no number" in probe.read()[0][1][0]
        assert probe.read()[0][1] == [7500]


def test_after_a_silence_a_late_answer_never_passes_for_the_next_one(socket_meter):
    with instrument(b"7.25", None, b"99") as resource, socket_meter(resource) as probe:
        begin = time.monotonic()
        readings = [probe.read()[0][1][0] for _ in range(20)]
        assert time.monotonic() - begin < 5
    assert all("did not answer" in one for one in readings)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("12.5", 12_500), ("+1.25E+01", 12_500), ("-0.5", -500), (".5", 500), ("3.", 3000), ("0", 0),
        ("9.91E37", None), ("9.9E37", None), ("-9.9E+37", None), ("1E400", None), ("", None), ("nan", None),
        ("inf", None), ("1_000", None), ("٣", None), ("0x10", None), ("1 2", None), ("--1", None), ("E5", None),
    ],
)  # fmt: skip
def test_only_a_number_of_scpi_is_a_power(answer, expected):
    found = milliwatts(answer, 1000.0)
    assert found == expected if expected is not None else isinstance(found, str)


@given(st.one_of(st.text(), st.floats().map(str)), st.floats())
def test_any_answer_becomes_a_finite_power_or_a_reason(answer, mw_per_unit):
    found = milliwatts(answer, mw_per_unit)
    assert isinstance(found, str) or math.isfinite(found)


@given(st.floats(-1e6, 1e6))
def test_every_way_to_write_a_power_is_read(watts):
    for form in ("{}", "{:E}", "{:+.12e}", "{:.12f}"):
        assert milliwatts(form.format(watts), 1000.0) == pytest.approx(1000 * watts, rel=1e-5, abs=1e-6)
