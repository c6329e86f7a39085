"""The ssh transport: addresses, host keys, keys of users, noise, and links that end; over a real server."""

from __future__ import annotations

import os
import pwd
import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError, DiskError, HostKeyError, UnreachableError
from harness.transports import Reach, open_transport
from harness.transports.address import address_of
from harness.transports.ssh import Ssh
from tests.transports.relay import Relay
from tests.transports.sshd import QUIET, make_key, serving


def reach_of(address, **options):
    return Reach(device="bench", transport="ssh", address=address, options=options)


@pytest.mark.parametrize(
    ("address", "options", "found"),
    [
        ("orin", {}, ("", "orin", 22, "orin")),
        ("root@Orin.lab", {}, ("root", "Orin.lab", 22, "orin.lab")),
        ("10.0.0.7:2222", {}, ("", "10.0.0.7", 2222, "[10.0.0.7]:2222")),
        ("orin", {"port": 2222}, ("", "orin", 2222, "[orin]:2222")),
        ("orin:2222", {"port": 2222}, ("", "orin", 2222, "[orin]:2222")),
        ("u@[fe80::1%eth0]:65535", {}, ("u", "fe80::1%eth0", 65535, "[fe80::1%eth0]:65535")),
        ("[::1]", {}, ("", "::1", 22, "::1")),
    ],
)
def test_an_address_is_taken_apart(address, options, found):
    read = address_of(reach_of(address, **options))
    assert (read.user, read.host, read.port, read.known_as) == found


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "root@", "@orin", "-oProxyCommand=touch x", "-l@orin", "root@-orin", "a b", "orin\n", "orin\0",
        "or$(x)in", "or;in", "'orin'", "::1", "[::1", "[::1]x", "[orin]", "[-1]", "orin:", "orin:0", "orin:65536",
        "orin:-1", "orin:2 2", "orin:22:22", "ssh://orin", "orin/", "örin", "r oot@orin", "root\u202e@orin", "a@b@c",
    ],
)  # fmt: skip
def test_an_address_that_cannot_be_right_is_refused_before_ssh_sees_it(address):
    with pytest.raises(ConfigError, match="address"):
        open_transport(reach_of(address))


def test_two_ports_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="two ports: 22, 23"):
        open_transport(reach_of("orin:22", port=23))


def test_a_private_key_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="no private key"):
        open_transport(reach_of("orin", identity_file=str(tmp_path / "none")))


def hello(reach, deadline_s=10):
    with open_transport(reach) as transport:
        return transport.run(["echo", "hello"], deadline_s=deadline_s)


def test_files_whose_names_mean_something_to_ssh_are_found(sshd, tmp_path):
    folder = tmp_path / 'a "b" %h # \\'
    folder.mkdir()
    for name in ("client_key", "known_hosts"):
        (folder / name).write_bytes((sshd.folder / name).read_bytes())
    (folder / "client_key").chmod(0o600)
    options = {"identity_file": str(folder / "client_key")}
    assert hello(sshd.reach(known_hosts=folder / "known_hosts", options=options)).out == b"hello\n"


def test_a_key_of_the_local_file_is_known_too(sshd, tmp_path):
    (tmp_path / "known_hosts.local").write_bytes(sshd.known_hosts.read_bytes())
    assert hello(sshd.reach(known_hosts=tmp_path / "known_hosts")).status == 0


@pytest.mark.parametrize("known_hosts", [None, "none"])
def test_a_host_whose_key_nobody_looked_at_is_refused_with_the_command_that_helps(sshd, tmp_path, known_hosts):
    with pytest.raises(ConfigError, match=r"host key of bench is not known.*harness board trust bench"):
        hello(sshd.reach(known_hosts=known_hosts and tmp_path / known_hosts))


def test_a_host_with_another_key_is_an_error_of_its_own(sshd, tmp_path):
    make_key(tmp_path / "other")
    host, _, _ = sshd.known_hosts.read_text().partition(" ")
    (tmp_path / "known_hosts").write_text(f"{host} {(tmp_path / 'other.pub').read_text()}")
    with pytest.raises(HostKeyError, match="another host key"):
        hello(sshd.reach(known_hosts=tmp_path / "known_hosts"))


def test_a_key_that_is_not_let_in_is_named(sshd, tmp_path):
    make_key(tmp_path / "stranger")
    with pytest.raises(ConfigError, match=r"stranger.*Permission denied.*authorized_keys"):
        hello(sshd.reach(options={"identity_file": str(tmp_path / "stranger")}))


def test_a_user_that_may_run_nothing_is_told_apart_from_a_dead_link():
    if os.getuid() or pwd.getpwnam("nobody").pw_shell.rpartition("/")[2] not in ("nologin", "false"):
        pytest.skip("needs root, and a user without a login shell")
    with serving() as server:
        server.folder.chmod(0o755)
        (server.folder / "authorised").chmod(0o644)
        with pytest.raises(ConfigError, match="runs no commands"):
            hello(server.reach(address=f"nobody@{server.host}:{server.port}"))


def test_nothing_at_the_address_is_unreachable_in_a_few_seconds(sshd):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        start = time.monotonic()
        with pytest.raises(UnreachableError, match=r"out of reach: .*refused"):
            hello(sshd.reach(address=f"127.0.0.1:{unused.getsockname()[1]}"))
    assert time.monotonic() - start < 4


def test_a_name_that_nobody_knows_is_unreachable(sshd):
    with pytest.raises(UnreachableError, match="out of reach"):
        hello(sshd.reach(address="no-such-board.invalid"))


def test_a_server_that_never_speaks_is_unreachable_at_the_connection_deadline(sshd):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        start = time.monotonic()
        with pytest.raises(UnreachableError):
            hello(sshd.reach(address=f"127.0.0.1:{silent.getsockname()[1]}"))
    assert time.monotonic() - start < 8


@pytest.fixture
def relay(sshd):
    one = Relay(sshd.port)
    yield one
    one.cut()


@pytest.fixture
def wired(sshd, relay, tmp_path):
    """A device behind the relay."""
    _, _, key = sshd.known_hosts.read_text().partition(" ")
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{relay.port} {key}")
    return sshd.reach(address=f"127.0.0.1:{relay.port}", known_hosts=tmp_path / "known_hosts")


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "cut"])
def test_a_link_that_ends_during_a_command_is_noticed_and_the_command_ends_there(
    wired, relay, processes, until, tmp_path, silent
):
    mark = f"mark-{os.getpid()}-{tmp_path.name}"

    def end():
        until(lambda: (tmp_path / "begun").exists(), 10)
        relay.fall_silent() if silent else relay.cut()

    threading.Thread(target=end, daemon=True).start()
    start = time.monotonic()
    with open_transport(wired) as transport, pytest.raises(UnreachableError, match="out of reach"):
        transport.run(["sh", "-c", f"touch {tmp_path}/begun; sleep 600", mark], deadline_s=8)
    assert time.monotonic() - start < 8
    assert until(lambda: not processes(mark), 12)


@pytest.mark.parametrize("silent", [True, False], ids=["silent", "cut"])
def test_a_copy_whose_link_ends_leaves_the_old_file(wired, relay, tmp_path, silent):
    target, source = tmp_path / "there" / "file", tmp_path / "source"
    target.parent.mkdir()
    target.write_bytes(b"old")
    with source.open("wb") as file:
        file.truncate(2**31)

    def end():
        while not list(target.parent.glob(".*")):
            time.sleep(0.01)
        relay.fall_silent() if silent else relay.cut()

    threading.Thread(target=end, daemon=True).start()
    with open_transport(wired) as transport, pytest.raises(UnreachableError):
        transport.put(source, str(target), deadline_s=12)
    relay.cut()
    assert target.read_bytes() == b"old"


def test_a_copy_that_takes_too_long_leaves_the_old_file(sshd, tmp_path, until):
    target, source = tmp_path / "there" / "file", tmp_path / "source"
    target.parent.mkdir()
    target.write_bytes(b"old")
    with source.open("wb") as file:
        file.truncate(2**40)
    with open_transport(sshd.reach()) as transport, pytest.raises(UnreachableError, match="no answer in time"):
        transport.put(source, str(target), deadline_s=1)
    assert target.read_bytes() == b"old"
    assert until(lambda: list(target.parent.iterdir()) == [target])


def test_a_copy_to_a_full_disk_is_told_apart(sshd):
    with open_transport(sshd.reach()) as transport:
        answer = transport.run(["sh", "-c", "cat /proc/self/stat >/dev/full"], deadline_s=10)
    with pytest.raises(DiskError, match="No space left"):
        Ssh(sshd.reach()).refuse("/dev/full", answer)


NOISE = """
ForceCommand echo 'Welcome to <<<the lab>>>'; echo 'quota: 3 %%' >&2; eval "$SSH_ORIGINAL_COMMAND"; echo bye; exit 3
Banner {banner}
"""


def test_a_talkative_login_changes_nothing(tmp_path):
    (tmp_path / "banner").write_text("Permission denied to all\nHost key verification failed\n")
    (tmp_path / "source").write_bytes(os.urandom(100_000))
    more = QUIET + NOISE.format(banner=tmp_path / "banner")
    with serving(more) as server, open_transport(server.reach()) as transport:
        answer = transport.run(["sh", "-c", "echo out; echo err >&2; exit 7"], deadline_s=10)
        transport.put(tmp_path / "source", str(tmp_path / "there"), deadline_s=10)
        transport.get(str(tmp_path / "there"), tmp_path / "back", deadline_s=10)
        assert transport.poll(str(tmp_path), 0, wait_s=0).status is None
    assert (answer.status, answer.out, answer.err) == (7, b"out\n", b"err\n")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "source").read_bytes()


def test_a_device_is_reached_over_ipv6():
    with socket.socket(socket.AF_INET6) as asked:
        if asked.connect_ex(("::1", 9)) not in (0, 111):
            pytest.skip("no IPv6 on the loopback device")
    with serving(host="::1") as server:
        assert hello(server.reach()).out == b"hello\n"


def test_without_an_ssh_client_it_is_said_what_to_install(sshd, monkeypatch):
    reach = sshd.reach()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError, match=r"ssh cannot be started.*install ssh"):
        hello(reach)


def test_the_own_configuration_of_a_user_is_not_read(sshd, tmp_path, monkeypatch):
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  ProxyCommand false\n  ControlPath /tmp/shared\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert hello(sshd.reach()).status == 0


def test_no_process_stays_after_a_call_that_was_given_up(sshd, processes):
    with open_transport(sshd.reach()) as transport, pytest.raises(UnreachableError):
        transport.put(Path("/dev/zero"), "/dev/shm/never", deadline_s=0.3)
    assert not processes(f"-p {sshd.port}")


def test_the_device_is_named_in_every_error(sshd):
    reach = replace(sshd.reach(), device="orin-7", address="127.0.0.1:1")
    with pytest.raises(UnreachableError, match="orin-7"):
        hello(reach)
