"""`harness serve`, asked over real sockets: what it answers, what it refuses, when it reads the history again."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.history import open_history
from harness.trendreport.serving.serve import OWN_NAMES, Handler, ReportServer
from harness.trendreport.serving.site import Answer, Site
from harness.trendreport.serving.watch import history_state
from tests.trendreport.histories import session, steady_case, write_history

PATHS = {"/": "text/html; charset=utf-8", "/trends.json": "application/json", "/metrics": "text/plain; version=0.0.4"}
Ask = Callable[..., tuple[http.client.HTTPResponse, str]]


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Path:
    """A history that no test changes."""
    return write_history(tmp_path_factory.mktemp("known") / "history.sqlite", steady_case(days=16))


@contextmanager
def serving(location: object, **options: object) -> Iterator[Ask]:
    """A server on a free port, and a function that asks it."""
    site = Site(str(location))
    with ReportServer(site, "127.0.0.1", 0, **{"names": OWN_NAMES, **options}) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def ask(path: str = "/", method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
            connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=20)
            try:
                connection.request(method, path, headers=headers)
                answer = connection.getresponse()
                return answer, answer.read().decode()
            finally:
                connection.close()

        ask.port = running.server_port
        try:
            yield ask
        finally:
            running.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def ask(known) -> Iterator[Ask]:
    with serving(known) as asked:
        yield asked


@pytest.mark.parametrize("path", PATHS)
def test_every_form_is_there_with_its_type(ask, path):
    answer, body = ask(path)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(PATHS[path])
    assert int(answer.headers["Content-Length"]) == len(body.encode()) > 500


def test_the_forms_are_the_page_json_and_prometheus(ask):
    assert ask("/")[1].lower().startswith("<!doctype html>")
    assert json.loads(ask("/trends.json")[1])["rows"]
    assert "# TYPE dms_outcome gauge" in ask("/metrics")[1]


def test_a_query_changes_nothing(ask):
    assert ask("/?x=1")[1] == ask("/")[1]


@pytest.mark.parametrize("path", ["/nothing", "/../etc/passwd", "/trends.json/", "/%2e%2e/", "*"])
def test_any_other_path_is_a_sentence_that_names_what_is_there(ask, path):
    answer, body = ask(path)
    assert answer.status == 404
    assert "/trends.json" in body


def test_a_hostile_path_stays_text(ask):
    assert "<script" not in ask("/<script>alert(1)</script>")[1]


@pytest.mark.parametrize("path", ["/", "/nothing"])
def test_head_is_answered_without_a_body(ask, path):
    answer, body = ask(path, "HEAD")
    assert body == ""
    assert answer.headers["Content-Length"] == ask(path)[0].headers["Content-Length"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "WHATEVER"])
def test_it_is_read_only(ask, method):
    answer, body = ask("/", method)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert "only GET, HEAD are answered" in body


@pytest.mark.parametrize("path", ["/", "/trends.json", "/metrics", "/nothing"])
def test_every_answer_carries_the_headers_that_keep_it_inert(ask, path):
    headers = ask(path)[0].headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "Python" not in headers["Server"]


def test_the_page_has_its_own_policy_in_the_header_too(ask):
    answer, body = ask("/")
    hashes = set(re.findall(r"'(sha256-[^']+)'", answer.headers["Content-Security-Policy"]))
    assert len(hashes) == 2
    assert all(one in body.replace("&#43;", "+") for one in hashes)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8765", "", "127.0.0.1.evil.example", "[::2]", "[", "@"])
def test_a_name_that_is_not_its_own_is_refused(ask, host):
    answer, body = ask(Host=host)
    assert answer.status == 421
    assert "--host" in body
    assert "eyes" not in body


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:9000", "[::1]:8765", "LOCALHOST"])
def test_its_own_names_are_answered_through_any_tunnel(ask, host):
    assert ask(Host=host)[0].status == 200


def test_with_a_host_of_ones_own_choice_any_name_is_answered(known):
    with serving(known, names=frozenset()) as ask:
        assert ask(Host="wall.lab")[0].status == 200


def test_a_wall_is_told_how_often_to_ask(known):
    with serving(known, refresh_s=60) as ask:
        assert ask()[0].headers["Refresh"] == "60"


@pytest.mark.parametrize("sent", [b"\x00nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\r\n"])
def test_what_is_no_http_is_answered_with_a_sentence_or_silence(ask, sent, capfd):
    with socket.create_connection(("127.0.0.1", ask.port), timeout=20) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer == b"" or (b"<h1>" in answer and b"Traceback" not in answer)
    assert "Traceback" not in capfd.readouterr().err


def test_a_visitor_who_leaves_at_once_is_no_fault(ask, capfd):
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", ask.port)) as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
    assert ask()[0].status == 200
    assert "Traceback" not in capfd.readouterr().err


def test_the_history_is_read_again_only_when_it_changed(tmp_path):
    location = write_history(tmp_path / "history.sqlite", steady_case(days=14))
    site = Site(str(location))
    first = site.answer("/")
    assert site.answer("/") is first
    with open_history(location) as history:
        history.record(session(20, {"frame_p25_ms": (5.0,)}))
    second = site.answer("/")
    assert second is not first
    assert second.body != first.body
    with open_history(location) as history:
        history.annotate(None, "2026-01-05T00:00:00Z", "note", "a remark", "ann")
    assert b"a remark" in site.answer("/").body


def test_reading_a_history_leaves_its_state(known):
    before = history_state(str(known))
    with open_history(known, create=False) as history:
        history.sessions()
    assert history_state(str(known)) == before is not None


def test_many_visitors_at_once_get_one_and_the_same_page(known):
    site = Site(str(known))
    found = []
    threads = [threading.Thread(target=lambda: found.append(site.answer("/"))) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_a_history_that_is_gone_is_a_sentence_and_comes_back(tmp_path):
    location = write_history(tmp_path / "history.sqlite", steady_case(days=14))
    with serving(location) as ask:
        assert ask()[0].status == 200
        location.rename(tmp_path / "moved")
        answer, body = ask()
        assert (answer.status, "there is no history yet" in body) == (503, True)
        (tmp_path / "moved").rename(location)
        assert ask()[0].status == 200


@pytest.mark.parametrize("path", PATHS)
def test_a_damaged_history_is_a_sentence_without_a_traceback(tmp_path, path, capfd):
    (tmp_path / "history.sqlite").write_bytes(b"no database" * 1000)
    with serving(tmp_path / "history.sqlite") as ask:
        answer, body = ask(path)
    assert answer.status == 503
    assert "not a history, or a damaged one" in body
    assert "Traceback" not in body + capfd.readouterr().err


def test_a_damaged_record_is_a_sentence_too(tmp_path):
    location = write_history(tmp_path / "history.sqlite", steady_case(days=14))
    connection = sqlite3.connect(location, isolation_level=None)
    connection.execute("UPDATE session SET provenance = '{' WHERE number = 3")
    connection.close()
    answer = Site(str(location)).answer("/")
    assert (answer.status, b"damaged" in answer.body) == (503, True)


def test_a_port_in_use_says_what_to_do(known):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"nothing can listen there.*127.0.0.1, port {port}.*another --port"):
            ReportServer(Site(str(known)), "127.0.0.1", port)


@pytest.mark.parametrize(
    ("host", "port"),
    [("127.0.0.1", 70000), ("127.0.0.1", -1), ("203.0.113.7", 0), ("no host", 0), ("a..b", 0),
     ("x" * 64 + ".example", 0)],
)  # fmt: skip
def test_an_address_that_cannot_be_had_is_a_sentence(known, host, port):
    with pytest.raises(ConfigError, match="nothing can listen there"):
        ReportServer(Site(str(known)), host, port)


class Large:
    """A site of one answer."""

    answered = Answer(status=200, body=b"x" * 4_000_000)

    def answer(self, path: str) -> Answer:
        return self.answered


def test_a_visitor_who_reads_slowly_but_steadily_gets_all_of_it(monkeypatch):
    limit_s = 0.8
    monkeypatch.setattr(Handler, "timeout", limit_s)
    with ReportServer(Large(), "127.0.0.1", 0) as running:
        # Otherwise the kernel would take all of it at once.
        running.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32_768)
        thread = threading.Thread(target=running.handle_request)
        thread.start()
        with socket.socket() as connection:
            connection.settimeout(20)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
            connection.connect(("127.0.0.1", running.server_port))
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            begun, received = time.monotonic(), 0
            while part := connection.recv(65_536):
                received += len(part)
                # About two limits for the whole, a small part of one for each part.
                threading.Event().wait(max(0.0, begun + 2 * limit_s * received / 4_000_000 - time.monotonic()))
        thread.join()
    assert received > 4_000_000


def test_a_pipe_in_the_place_of_the_history_is_a_sentence(tmp_path):
    os.mkfifo(tmp_path / "history.sqlite")
    assert history_state(str(tmp_path / "history.sqlite")) is None
    assert Site(str(tmp_path / "history.sqlite")).answer("/").status == 503


@pytest.fixture
def started(known) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `harness serve` as a person would; whatever still runs at the end is killed."""
    running = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "harness.cli", "serve", "--history", str(known), "--port", "0", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        running.append(process)
        return process

    yield start
    for one in running:
        one.kill()
        one.communicate()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_says_where_it_is_and_ends_cleanly(started, ending):
    process = started()
    said = process.stderr.readline()
    port = int(re.search(r"http://127\.0\.0\.1:(\d+)/ \(read-only", said)[1])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/metrics")
    assert connection.getresponse().status == 200
    connection.close()
    os.kill(process.pid, ending)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out, errors) == (0, "ended\n", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.0.0.2", "LocalHost"])
def test_this_machine_named_by_hand_answers_only_its_own_names_too(started, host):
    process = started("--host", host)
    port = int(re.search(r":(\d+)/ \(read-only", process.stderr.readline())[1])

    def status(name: str) -> int:
        connection = http.client.HTTPConnection(host, port, timeout=20)
        connection.request("GET", "/metrics", headers={"Host": name})
        answered = connection.getresponse().status
        connection.close()
        return answered

    assert (status("evil.example"), status(host), status(f"localhost:{port}")) == (421, 200, 200)


def test_beyond_this_machine_it_warns(started):
    process = started("--host", "0.0.0.0")
    assert "0.0.0.0" in process.stderr.readline()
    assert process.stderr.readline().startswith("warning: whoever reaches this machine can read it")


def test_the_state_of_a_database_follows_what_is_written(server):
    server.sql("CREATE SCHEMA watched")
    location = server.url("watched")
    with open_history(location) as history:
        empty = history_state(location)
        history.record(session(1, {"load_ms": (1.0,)}))
        one = history_state(location)
        history.annotate(None, "2026-01-05T00:00:00Z", "note", "a remark", "ann")
        assert empty != one != history_state(location)
        assert history_state(location) == history_state(location)
    assert Site(location).answer("/").status == 200
