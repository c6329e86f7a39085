"""The adb transport, through a stand-in for the command: what it says of devices that are not as they should be."""

from __future__ import annotations

import time

import pytest

from harness.errors import ConfigError, DiskError, UnreachableError
from harness.transports import Answer, Reach, open_transport
from harness.transports.adb import Adb


def hello(reach, deadline_s=5):
    with open_transport(reach) as transport:
        return transport.run(["echo", "hello"], deadline_s=deadline_s)


@pytest.mark.parametrize("address", ["R3CT10", "emulator-5554", "192.168.1.7:5555", "[fe80::1]:5555", ""])
def test_a_device_answers_by_its_serial_its_address_or_alone(phone, address):
    assert hello(phone.reach(address)).out == b"hello\n"
    assert all(line.startswith(f"-s {address} ") for line in phone.said if address and "connect" not in line)


@pytest.mark.parametrize("address", ["-s", "a b", "a\n", "a;b", "$(a)", "a\0", "'a'", "/dev/a", "é"])
def test_an_address_that_cannot_be_right_is_refused(phone, address):
    with pytest.raises(ConfigError, match="is no address of adb"):
        open_transport(phone.reach(address))
    assert not phone.said


@pytest.mark.parametrize(
    ("mode", "address", "error", "words"),
    [
        ("offline", "R3CT10", UnreachableError, "device offline"),
        ("unauthorized", "R3CT10", ConfigError, "has not authorised this machine.*unlock its screen"),
        ("none", "R3CT10", UnreachableError, "device 'R3CT10' not found"),
        ("none", "", UnreachableError, "no devices"),
        ("two", "", ConfigError, "several devices.*serial number"),
        ("hang", "R3CT10", UnreachableError, "did not answer in time"),
        ("hang", "10.0.0.7:5555", UnreachableError, "did not answer in time"),
        ("refused", "10.0.0.7:5555", UnreachableError, "Connection refused"),
    ],
)
def test_what_is_wrong_is_said_within_ten_seconds(phone, processes, mode, address, error, words):
    phone.be(mode)
    start = time.monotonic()
    with pytest.raises(error, match=words) as raised:
        hello(phone.reach(address))
    assert time.monotonic() - start < 10
    assert "phone" in raised.value.sentence
    assert not processes(str(phone.folder / "adb"))


def test_one_of_two_devices_is_chosen_by_its_serial_number(phone):
    phone.be("two")
    assert hello(phone.reach("R3CT10")).status == 0


def test_a_network_device_is_forgotten_before_it_is_connected_to(phone):
    phone.go_stale()
    assert hello(phone.reach("10.0.0.7:5555")).status == 0
    assert phone.said[:2] == ["disconnect 10.0.0.7:5555", "connect 10.0.0.7:5555"]


def test_a_device_that_goes_stale_meanwhile_is_connected_to_anew(phone, tmp_path):
    with open_transport(phone.reach("10.0.0.7:5555")) as transport:
        assert transport.poll(str(tmp_path), 0, wait_s=0).status is None
        transport.tell = lambda line, **how: type(transport).tell(transport, line, **{**how, "deadline_s": 0.5})
        phone.go_stale()
        with pytest.raises(UnreachableError):
            transport.poll(str(tmp_path), 0, wait_s=0)
        assert transport.poll(str(tmp_path), 0, wait_s=0).status is None
    assert [line for line in phone.said if "connect " in line].count("connect 10.0.0.7:5555") == 2


def test_a_device_is_asked_how_it_is_once_and_not_before_every_call(phone, tmp_path):
    with open_transport(phone.reach()) as transport:
        for _ in range(3):
            transport.poll(str(tmp_path), 0, wait_s=0)
    assert sum("get-state" in line for line in phone.said) == 1


def test_a_copy_that_is_cut_off_leaves_the_old_file(phone, tmp_path):
    target, source = tmp_path / "there" / "file", tmp_path / "source"
    target.parent.mkdir()
    target.write_bytes(b"old")
    source.write_bytes(b"a new and longer text")
    phone.be("cut")
    with open_transport(phone.reach()) as transport, pytest.raises(UnreachableError):
        transport.put(source, str(target), deadline_s=1)
    assert target.read_bytes() == b"old"
    assert list(target.parent.iterdir()) == [target]


def test_nothing_stays_in_the_folder_for_what_is_on_its_way(phone, tmp_path):
    before = {path.name for path in phone.folder.iterdir()} | {"said"}
    with open_transport(phone.reach()) as transport:
        transport.run(["cat"], deadline_s=5, text=b"words")
        transport.put(phone.folder / "adb", str(tmp_path / "there"), deadline_s=5)
    assert {path.name for path in phone.folder.iterdir()} == before


def test_a_full_disk_is_told_apart(phone):
    answer = Answer(
        status=1, err=b"adb: error: failed to copy 'a' to 'b': remote write failed: No space left on device"
    )
    with pytest.raises(DiskError, match="No space left"):
        Adb(phone.reach()).refuse("/data/b", answer)


def test_without_adb_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"adb cannot be started.*install adb"):
        hello(Reach(device="phone", transport="adb", address="R3CT10"))
