"""What the checks of `harness check-runner` work with: fresh runners, a model, and a conversation at some point."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from harness.case import Array
from harness.errors import ConfigError
from harness.runtimes.external import check_format, file_sha256
from harness.runtimes.runner_answers import Hello, Loaded
from harness.runtimes.runner_client import Deadlines, RunnerClient
from harness.runtimes.runner_exchange import EXCHANGES, Exchange

Tensors = dict[str, Array]
UNWRITTEN = (0xA5, 0x5A)
TOY = (
    "toy 1 input image float32 4 {shape} output scores float32 2 1 3 bias 0.5 0 -1 row 3 1 -2 0.5 row 1 0.01 row 2 -1 1"
)


class NotAskedError(Exception):
    """A check that does not apply to this runner, and why."""


@dataclass
class RuleError(Exception):
    """What the specification wants, what the runner did, and what to change."""

    expected: str
    came: str
    remedy: str = ""


@dataclass(frozen=True)
class Bench:
    """What is checked, with which model: the toy network where `model` is empty. folder: for files of the checks."""

    command: tuple[str, ...]
    deadlines: Deadlines
    model: str
    options: dict[str, str]
    folder: Path

    @contextmanager
    def greeted(self) -> Iterator[Talk]:
        """A fresh runner after hello; ended by force."""
        with RunnerClient(self.command, {}, self.deadlines) as client:
            yield Talk(client, client.hello())

    @contextmanager
    def loaded(self, kind: str = "") -> Iterator[Talk]:
        """A fresh runner with the model and an open exchange."""
        with self.greeted() as talk:
            loaded = self.load(talk)
            kind = kind or talk.exchange_kind
            with Exchange(loaded.inputs, loaded.outputs, kind, "") as exchange:
                talk.client.share(exchange, kind)
                yield replace(talk, loaded=loaded, exchange=exchange)

    def load(self, talk: Talk) -> Loaded:
        """The model loaded, as the harness does it; EngineError where it is no file that the runner loads."""
        model = self.model_for(talk.hello)
        check_format(talk.hello, model)
        return talk.client.load(model, file_sha256(model), self.options)

    def model_for(self, hello: Hello) -> str:
        """The model's path; ConfigError where none is given and the runner reads no toy networks."""
        if self.model:
            return os.path.abspath(self.model)
        if "toy" not in hello.formats:
            raise ConfigError(
                f"no model is given, and the runner {hello.name} reads no toy networks", remedy="give --model FILE"
            )
        return self.toy((1, 1, 8, 8))

    def toy(self, shape: tuple[int, ...]) -> str:
        """A toy network for pictures of 4 sizes."""
        path = self.folder / f"{'x'.join(map(str, shape))}.toy"
        path.write_text(TOY.format(shape=" ".join(map(str, shape))), encoding="ascii")
        return str(path)


@dataclass(frozen=True)
class Talk:
    """A conversation at some point."""

    client: RunnerClient
    hello: Hello
    loaded: Loaded = field(default=Loaded((), (), {}))
    exchange: Exchange = field(default=Exchange((), (), EXCHANGES[0], ""))

    @property
    def exchange_kind(self) -> str:
        """The first exchange of the runner that the harness knows."""
        return next(kind for kind in self.hello.exchanges if kind in EXCHANGES)

    def outputs(self, seed: int, frame: int, fill: int = UNWRITTEN[0]) -> Tensors:
        """The answer to noise, where nothing of an answer before is left: every byte of it was `fill`."""
        self.exchange.write(self.noise(seed))
        self.exchange.fill_outputs(fill)
        self.client.infer(frame)
        return self.exchange.read()

    def noise(self, seed: int) -> Tensors:
        """Inputs over the whole range of integer types, 0 to 1 for floats."""
        values = np.random.default_rng(seed)
        found = {}
        for spec in self.loaded.inputs:
            kind = np.dtype(spec.dtype)
            whole = np.iinfo(kind) if kind.kind in "iu" else None
            drawn = values.integers(max(whole.min, -128), min(whole.max, 255) + 1, spec.shape) if whole else (
                values.random(spec.shape)
            )  # fmt: skip
            found[spec.name] = drawn.astype(kind)
        return found

    def refuses(self, op: str, why: str, **fields: str | int) -> None:
        """RuleError unless the request is answered with an error that says what is wrong."""
        answer = self.client.request(op, **fields)
        if answer["op"] != "error" or not answer.get("what"):
            wanted = 'an answer {"op":"error","what":...} to ' + why
            raise RuleError(wanted, str(answer), "check each request before using it, and say what is wrong")
