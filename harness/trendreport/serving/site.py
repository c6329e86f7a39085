"""What `harness serve` answers: each form of the report, made again only when the history changed."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from harness.errors import HarnessError, printable
from harness.history import open_history
from harness.trendreport import read_trends
from harness.trendreport.model import Trends
from harness.trendreport.page import page
from harness.trendreport.serving.watch import history_state
from harness.trendreport.twins import TWINS
from harness.trendreport.twins.prometheus_twin import CONTENT_TYPE

HTML, JSON = "text/html; charset=utf-8", "application/json"
NO_CONTENT_POLICY = "default-src 'none'"
_POLICY = re.compile(r'http-equiv="Content-Security-Policy" content="([^"]*)"')


@dataclass(frozen=True, kw_only=True)
class Answer:
    """policy: the content security policy that the body needs."""

    status: int
    body: bytes
    content_type: str = HTML
    policy: str = NO_CONTENT_POLICY


def said(status: int, sentence: str) -> Answer:
    """A page of one sentence."""
    name, text = HTTPStatus(status).phrase, html.escape(printable(sentence))
    body = f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{name}</title><h1>{name}</h1><p>{text}</p>\n'
    return Answer(status=status, body=body.encode())


class Site:
    """The report of one history. Any thread may ask; one at a time makes what is missing, the others wait."""

    def __init__(
        self, location: str, *, root: Path | None = None, metrics: Sequence[str] = (), commit_url: str = ""
    ) -> None:
        self.location = location
        self._root, self._metrics, self._commit_url = root, metrics, commit_url
        self._forms: Mapping[str, Callable[[Trends], Answer]] = {
            "/": self._page, "/trends.json": _twin("json", JSON), "/metrics": _twin("prometheus", CONTENT_TYPE),
        }  # fmt: skip
        self._lock = threading.Lock()
        self._state: object = None
        self._trends: Trends | None = None
        self._made: dict[str, Answer] = {}

    def prepare(self) -> None:
        """Make the page; HarnessError where it cannot be."""
        with self._lock:
            self._fresh("/")

    def answer(self, path: str) -> Answer:
        """What is at `path`; a sentence with status 404 where nothing is, 503 where it cannot be made now."""
        if path not in self._forms:
            return said(404, f"nothing is at {path}; there is: {', '.join(self._forms)}")
        try:
            with self._lock:
                return self._fresh(path)
        except HarnessError as error:
            return said(503, error.sentence)
        except Exception as error:
            # A visitor can do nothing about a fault of ours, and learns no more of it than its name.
            return said(503, f"the report cannot be made: {type(error).__name__}; harness report says more")

    def _fresh(self, path: str) -> Answer:
        # Asked before reading: what is written meanwhile makes the next answer new.
        state = history_state(self.location)
        if self._trends is None or state != self._state:
            with open_history(self.location, create=False) as history:
                self._trends = read_trends(history, root=self._root, metrics=self._metrics)
            self._state, self._made = state, {}
        if path not in self._made:
            self._made[path] = self._forms[path](self._trends)
        return self._made[path]

    def _page(self, trends: Trends) -> Answer:
        text = page(trends, commit_url=self._commit_url)
        found = _POLICY.search(text)
        return Answer(status=200, body=text.encode(), policy=html.unescape(found[1]) if found else NO_CONTENT_POLICY)


def _twin(name: str, content_type: str) -> Callable[[Trends], Answer]:
    make = TWINS[name].make
    return lambda trends: Answer(status=200, body=make(trends, {}).encode(), content_type=content_type)
