"""Files of known hosts: what a host shows, taken up once, as a line that a reviewer can read."""

from __future__ import annotations

import subprocess
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError, HostKeyError, UnreachableError
from harness.transports import Reach, open_transport
from harness.transports.knownhosts import HostKey, files, known, local_file, scan, trust
from tests.transports.sshd import make_key


@pytest.fixture
def reach(sshd, tmp_path):
    """The server of the tests, whose key nobody has looked at yet."""
    return sshd.reach(known_hosts=tmp_path / "devices" / "known_hosts")


@pytest.fixture
def other(tmp_path, reach):
    """Another key of the same host."""
    make_key(tmp_path / "other")
    kind, blob = (tmp_path / "other.pub").read_text().split()[:2]
    return HostKey(host=scan(reach)[0].host, kind=kind, blob=blob)


def test_a_host_shows_the_key_whose_fingerprint_its_owner_reads_there(sshd, reach):
    (key,) = scan(reach)
    shown = subprocess.run(["ssh-keygen", "-l", "-f", sshd.folder / "host_key.pub"], capture_output=True, text=True)
    assert key.fingerprint == shown.stdout.split()[1]
    assert key.kind == "ssh-ed25519"


def test_a_host_that_is_trusted_is_reached_from_then_on(reach):
    assert trust(reach, scan(reach)[0])
    with open_transport(reach) as transport:
        assert transport.run(["true"], deadline_s=10).status == 0
    assert known(reach) == scan(reach)
    assert local_file(reach).read_text() == f"{scan(reach)[0].line}\n"


def test_a_key_is_taken_up_once(reach):
    (key,) = scan(reach)
    assert [trust(reach, key) for _ in range(3)] == [True, False, False]
    assert len(local_file(reach).read_text().splitlines()) == 1


def test_a_key_that_was_reviewed_is_not_taken_up_again(sshd, reach):
    reach.known_hosts.parent.mkdir()
    reach.known_hosts.write_bytes(sshd.known_hosts.read_bytes())
    assert not trust(reach, scan(reach)[0])
    assert local_file(reach).read_text() == ""


def test_another_key_of_a_known_host_is_never_taken_up(reach, other):
    trust(reach, scan(reach)[0])
    with pytest.raises(HostKeyError, match=r"another host key.*known_hosts.local") as raised:
        trust(reach, other)
    assert other.fingerprint in raised.value.sentence
    assert len(local_file(reach).read_text().splitlines()) == 1


def test_many_at_once_take_it_up_once(reach):
    (key,) = scan(reach)
    said: list[bool] = []
    threads = [threading.Thread(target=lambda: said.append(trust(reach, key))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == [False] * 7 + [True]
    assert local_file(reach).read_text() == f"{key.line}\n"


@pytest.mark.parametrize("before", ["# by hand", "# by hand\n", "orin ssh-ed25519 AAAA"])
def test_what_stands_in_the_file_stays_as_it_is(reach, before):
    local_file(reach).parent.mkdir()
    local_file(reach).write_text(before)
    (key,) = scan(reach)
    trust(reach, key)
    assert local_file(reach).read_text().splitlines() == [before.strip(), key.line]


@pytest.mark.parametrize(
    "line",
    [
        "", "#", "# {host} {kind} {blob}", "{host}", "{host} {kind}", "{host} {kind} no-base64", "{host} {kind} AAAA",
        "@revoked {host} {kind} {blob}", "|1|salt|hash {kind} {blob}", "{host} no-kind {blob}", "other {kind} {blob}",
    ],
)  # fmt: skip
def test_a_line_that_says_nothing_of_the_host_is_left_out(reach, other, line):
    reach.known_hosts.parent.mkdir()
    reach.known_hosts.write_text(line.format(host=other.host, kind=other.kind, blob=other.blob))
    assert known(reach) == ()


def test_one_line_may_name_several_hosts(reach, other):
    reach.known_hosts.parent.mkdir()
    reach.known_hosts.write_text(f"orin,{other.host} {other.kind} {other.blob} of the bench\n")
    assert known(reach) == (other,)


@given(st.binary(max_size=300))
def test_no_file_is_so_damaged_that_it_cannot_be_read(tmp_path_factory, content):
    file = tmp_path_factory.mktemp("devices") / "known_hosts"
    file.write_bytes(content)
    assert known(Reach(device="bench", transport="ssh", address="orin", known_hosts=file)) == ()


def test_a_host_that_shows_nothing_is_unreachable(reach):
    with pytest.raises(UnreachableError, match="bench is out of reach"):
        scan(replace(reach, address="127.0.0.1:1"))


def test_without_a_file_there_is_nothing_to_write_to(sshd, reach):
    (key,) = scan(reach)
    nowhere = replace(reach, known_hosts=None)
    assert files(nowhere) == ()
    with pytest.raises(ConfigError, match="no file of known hosts"):
        trust(nowhere, key)


def test_a_file_that_cannot_be_written_says_so(reach):
    (key,) = scan(reach)
    with pytest.raises(ConfigError, match="cannot be written"):
        trust(replace(reach, known_hosts=type(reach.known_hosts)("/proc/none/known_hosts")), key)
