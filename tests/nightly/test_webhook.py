"""The end of a night is told to a chat, in bounded time, and the address stays a secret."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness.errors import ConfigError
from harness.fleet.webhook import masked, post, report_link, take_webhook

SECRET = "T0/B1/very-secret"


class Chat(ThreadingHTTPServer):
    """Keeps what it is told; answers `status`, and before that drips for `drip_s` seconds."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told: list[tuple[str, str, object]] = []
        self.status, self.drip_s, self.location = 200, 0.0, ""
        self.done = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    server: Chat

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((self.path, self.headers["Content-Type"], json.loads(body)))
        until = time.monotonic() + self.server.drip_s
        while time.monotonic() < until and not self.server.done.wait(0.05):
            self.wfile.write(b"H")
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.done.set()
        server.shutdown()
        thread.join()


def test_the_chat_is_told_one_text_in_slacks_form(chat):
    assert post(chat.url, "FAIL <!channel> & \u2713\nsecond line") == ""
    text = "FAIL &lt;!channel&gt; &amp; \u2713\nsecond line"
    assert chat.told == [(f"/services/{SECRET}", "application/json", {"text": text})]


def test_a_long_text_is_cut(chat):
    assert post(chat.url, "x" * 5000) == ""
    ((_, _, told),) = chat.told
    assert len(told["text"]) == 3000


@pytest.mark.parametrize(("status", "said"), [(500, "it answered 500"), (404, "it answered 404")])
def test_a_refusal_is_a_warning_without_the_secret(chat, status, said):
    chat.status = status
    warning = post(chat.url, "text")
    assert warning == f"warning: the webhook http://127.0.0.1/*** was not told: {said}"


def test_a_redirect_is_not_followed_with_the_secret(chat):
    chat.status, chat.location = 302, "/elsewhere"
    assert "302" in post(chat.url, "text")
    assert len(chat.told) == 1


def test_nobody_there_is_a_warning(chat):
    url = f"http://127.0.0.1:1/{SECRET}"
    warning = post(url, "text")
    assert warning.startswith("warning: ")
    assert SECRET not in warning


def test_a_server_that_drips_its_answer_costs_bounded_time(chat):
    chat.drip_s = 30
    began = time.monotonic()
    warning = post(chat.url, "text", deadline_s=0.5)
    assert time.monotonic() - began < 5
    assert "no answer within 0.5 s" in warning
    assert SECRET not in warning


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://host/x", "slack.com/x", "https://", "javascript:alert(1)", "http://a b/", "http://[::1",
     "http://host:99999/", "http://host/\x1b", "gopher://x", "http://:80/"],
)  # fmt: skip
def test_what_is_no_web_address_is_refused_without_showing_it(url):
    with pytest.raises(ConfigError, match="not a web address") as raised:
        take_webhook(url, {})
    assert raised.value.sentence == (
        "not a web address (it is not shown: it may be a secret) (--webhook); give one that begins with https:// or http://"
    )


@pytest.mark.parametrize(("option", "taken"), [("", "https://one/x"), ("https://two/y", "https://two/y")])
def test_the_option_goes_before_the_environment_which_no_child_inherits(option, taken):
    variables = {"DMS_WEBHOOK": "https://one/x", "HOME": "/"}
    assert take_webhook(option, variables) == taken
    assert variables == {"HOME": "/"}


def test_no_address_is_none_and_a_wrong_one_in_the_environment_is_said():
    assert take_webhook("", {}) == ""
    with pytest.raises(ConfigError, match="DMS_WEBHOOK"):
        take_webhook("", {"DMS_WEBHOOK": "oops"})


def test_what_is_shown_of_an_address_is_no_secret():
    assert masked("https://user:word@hooks.slack.com:8443/services/T/B/x?k=v") == "https://hooks.slack.com/***"


@pytest.mark.parametrize(
    ("variables", "link"),
    [
        ({}, "reports/x"),
        ({"GITHUB_SERVER_URL": "https://g", "GITHUB_REPOSITORY": "a/b", "GITHUB_RUN_ID": "7"},
         "https://g/a/b/actions/runs/7"),
        ({"CI_JOB_URL": "https://lab/1"}, "https://lab/1"),
        ({"DMS_REPORT_URL": "https://r", "CI_JOB_URL": "https://lab/1"}, "https://r"),
    ],
)  # fmt: skip
def test_the_report_is_linked_where_it_can_be_seen(variables, link):
    assert report_link("reports/x", variables) == link
