"""Any engine behind a program of its own that speaks the runner protocol (docs/external-runner.md).

Only the two reference runners of harness/runners have run here; no vendor's runner was ever run on its device.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import statistics
import sys
import time
from collections import deque
from contextlib import ExitStack
from typing import Any, Deque, Dict, List, Mapping, Optional, Tuple, Union

import numpy as np

from harness.case import Array
from harness.errors import EngineError
from harness.runtimes.feeds import check_feeds
from harness.runtimes.runner_answers import Hello, Loaded
from harness.runtimes.runner_child import check_program
from harness.runtimes.runner_client import Deadlines, RunnerClient
from harness.runtimes.runner_exchange import Exchange

PINGS = 51
LONGEST_PINGS_S = 0.1
KEPT_TIMES = 100_000
PYTHON = "{python}"


class External:
    """One runner process with one model.

    command: program and arguments; a single text is split as a shell would, "{python}" is the worker's interpreter.
    exchange: "shared_memory", or "files" for a runner that cannot map memory; exchange_folder: where, empty for
    /dev/shm. promised: the unit that must take nodes of the model. environment: added to the worker's own.
    runner_options: handed to the runner with the model.
    """

    in_calling_thread = False

    def __init__(
        self,
        model_path: str,
        command: Union[str, Tuple[str, ...]] = (),
        exchange: str = "shared_memory",
        exchange_folder: str = "",
        promised: str = "",
        environment: Optional[Mapping[str, str]] = None,
        runner_options: Optional[Mapping[str, str]] = None,
        hello_deadline_s: float = 20.0,
        load_deadline_s: float = 100.0,
        infer_deadline_s: float = 10.0,
        bye_deadline_s: float = 5.0,
    ) -> None:
        self._model_path, self._promised = model_path, promised
        self._command, self._environment = command_of(command), dict(environment or {})
        self._kind, self._folder = exchange, exchange_folder
        self._options = dict(runner_options or {})
        self._deadlines = Deadlines(hello_deadline_s, load_deadline_s, infer_deadline_s, bye_deadline_s)
        self._open = ExitStack()
        self._client: Optional[RunnerClient] = None

    def prepare(self) -> None:
        """Start the runner and agree on the protocol."""
        check_program(self._command)
        self._client = self._open.enter_context(RunnerClient(self._command, self._environment, self._deadlines))
        self._hello = self._client.hello()

    def __enter__(self) -> External:
        if self._client is None:
            self.prepare()
        try:
            self._load()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            if self._client is not None and error[0] is None:
                self._client.bye()
        finally:
            self._close()

    def infer(self, feeds: Dict[str, Array]) -> Dict[str, Array]:
        assert self._client is not None
        check_feeds(feeds, self._takes, self._model_path)
        self._exchange.write(feeds)
        self._frame += 1
        infer_ns = self._client.infer(self._frame)
        if infer_ns is not None:
            self._infer_ns.append(infer_ns)
        return self._exchange.read()

    def facts(self) -> Dict[str, Any]:
        assert self._client is not None
        told = {"precision": "as the runner decides", **self._facts}
        return {
            "engine": self._hello.engine,
            "version": self._hello.version,
            **told,
            "runner": self._hello.name,
            "runner_protocol": self._hello.protocol,
            "runner_options": self._options,
            "exchange": self._kind,
            "round_trip_us": self._round_trip_us,
            "runner_stats": self._client.stats(),
            "runner_log_bytes": self._client.process.log_bytes,
            **self._own_times(),
        }

    @property
    def process_ids(self) -> Tuple[int, ...]:
        """The processes in which the model runs: their memory and CPU time are the engine's."""
        return () if self._client is None else tuple(self._client.process.process_ids())

    def _load(self) -> None:
        assert self._client is not None
        self._refuse_misfit()
        loaded = self._client.load(os.path.abspath(self._model_path), file_sha256(self._model_path), self._options)
        self.inputs, self.outputs = loaded.inputs, loaded.outputs
        self._takes = {one.name: one for one in loaded.inputs}
        self._facts = self._kept_promise(loaded)
        self._exchange = self._open.enter_context(Exchange(self.inputs, self.outputs, self._kind, self._folder))
        self._client.share(self._exchange, self._kind)
        self._round_trip_us = round_trip_us(self._client)
        self._frame = 0
        self._infer_ns: Deque[int] = deque(maxlen=KEPT_TIMES)

    def _refuse_misfit(self) -> None:
        """A runner that says beforehand that it will not do."""
        hello = self._hello
        check_format(hello, self._model_path)
        if self._kind not in hello.exchanges:
            raise EngineError(
                f"the runner {hello.name} has no exchange {self._kind!r}", where="option exchange of the runtime",
                remedy=f"write one that it has: {', '.join(hello.exchanges) or 'it told none'}",
            )  # fmt: skip

    def _kept_promise(self, loaded: Loaded) -> Dict[str, Any]:
        facts = dict(loaded.facts)
        if self._promised:
            placement = facts.get("placement", {})
            if not placement.get(self._promised):
                raise EngineError(
                    f"nothing of the model is on {self._promised!r}, which the profile promises: the runner tells "
                    f"the placement {placement}",
                    where=self._model_path,
                    remedy="compile the model for that unit, and let the runner tell facts.placement",
                )
            facts["promised"] = self._promised
        return facts

    def _own_times(self) -> Dict[str, float]:
        """Percentiles of the times that the runner itself tells, of the last frames, warm-up frames among them."""
        if not self._infer_ns:
            return {}
        p50, p99 = np.percentile(np.array(self._infer_ns), (50, 99)) / 1e6
        return {"runner_infer_p50_ms": float(p50), "runner_infer_p99_ms": float(p99), "runner_frames": self._frame}

    def _close(self) -> None:
        self._client = None
        self._open.close()


def command_of(command: Union[str, Tuple[str, ...]]) -> Tuple[str, ...]:
    """Program and arguments."""
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise EngineError(
            f"command = {command!r} cannot be split: {error}", where="option command of the runtime",
            remedy="close the quotes, or write program and arguments as a list",
        ) from error  # fmt: skip
    return tuple(sys.executable if word == PYTHON else word for word in words)


def round_trip_us(client: RunnerClient) -> float:
    """Median of some pings: what a frame pays for being computed in another process, its tensors apart."""
    spent: List[int] = []
    until = time.monotonic() + LONGEST_PINGS_S
    while len(spent) < PINGS and (not spent or time.monotonic() < until):
        start = time.perf_counter_ns()
        client.ping()
        spent.append(time.perf_counter_ns() - start)
    return statistics.median(spent) / 1e3


def check_format(hello: Hello, model_path: str) -> None:
    """EngineError where the runner says that it does not load such files."""
    if hello.formats and os.path.splitext(model_path)[1][1:] not in hello.formats:
        raise EngineError(
            f"the runner {hello.name} loads files that end with {', '.join(hello.formats)}", where=model_path,
            remedy="name another file in the model's card, or another runner in the device profile",
        )  # fmt: skip


def file_sha256(path: str) -> str:
    """In lower case; EngineError where it cannot be read."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            for chunk in iter(lambda: file.read(1 << 20), b""):
                digest.update(chunk)
    except OSError as error:
        raise EngineError(f"the model cannot be read: {error.strerror}", where=path) from error
    return digest.hexdigest()
