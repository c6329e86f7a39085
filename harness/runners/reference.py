"""The reference runner in Python: `python -m harness.runners.reference` speaks docs/external-runner.md.

It runs toy networks (harness/runners/toynet.py). To make your own of it, replace ToyNet by your engine.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
import sys
import time
from typing import Any, Callable, Dict, Tuple

import numpy as np

from harness.runners.toynet import Array, Tensor, ToyNet

PROTOCOL = 1
LONGEST_LINE_BYTES = 65536
Message = Dict[str, Any]


class RunnerError(Exception):
    """What goes back as an answer `error`."""

    def __init__(self, what: str, where: str = "", remedy: str = "") -> None:
        super().__init__(what)
        self.answer = {"op": "error", "what": what, "where": where, "remedy": remedy}


class Runner:
    """One model, one exchange, one frame at a time."""

    def __init__(self) -> None:
        self._net: Any = None
        self._exchange: Any = None
        self._frames = 0

    def answer(self, request: Message) -> Message:
        """The answer to one request; RunnerError where it cannot be done."""
        op = str(request.get("op"))
        if op not in REQUESTS:
            raise RunnerError(f"no request is called {op!r}", "op", f"those are {', '.join(REQUESTS)}")
        return REQUESTS[op](self, request)

    def hello(self, request: Message) -> Message:
        """Say who answers."""
        if _whole(request, "protocol") < PROTOCOL:
            raise RunnerError(f"version {request['protocol']} of the protocol is too old", "protocol", "ask for 1")
        return {
            "op": "hello", "protocol": PROTOCOL, "name": "reference-python", "engine": "toy", "version": "1",
            "formats": ["toy"], "exchanges": ["shared_memory", "files"],
        }  # fmt: skip

    def load(self, request: Message) -> Message:
        """Load a model; the exchange before is gone."""
        path, sha256 = _text(request, "path"), str(request.get("sha256", ""))
        try:
            with open(path, "rb") as file:
                found = hashlib.sha256(file.read()).hexdigest()
            if sha256 not in ("", found):
                raise RunnerError("the file is not the one that was meant", path, "copy it again")
            self._net, self._exchange = ToyNet(path), None
        except (OSError, ValueError) as error:
            raise RunnerError(f"the file is no toy network: {error}", path, "give a .toy file") from error
        return {
            "op": "loaded", "inputs": [self._net.input.wire()], "outputs": [self._net.output.wire()],
            "facts": {
                "precision": self._net.input.dtype, "threads": 1, "placement": {"cpu": 1.0}, "promised": "cpu",
                "partitions": 1, "layer_precisions": {self._net.input.dtype: 1.0},
            },
        }  # fmt: skip

    def exchange(self, request: Message) -> Message:
        """Open both files."""
        if self._net is None:
            raise RunnerError("no model is loaded", "exchange", "send load first")
        kinds = {"shared_memory": Mapped, "files": Files}
        if request.get("kind") not in kinds:
            raise RunnerError(f"no exchange {request.get('kind')!r}", "kind", "use shared_memory or files")
        self._exchange = kinds[request["kind"]](request, self._net.input, self._net.output)
        return {"op": "ready"}

    def ping(self, request: Message) -> Message:
        """Answer, and nothing else."""
        return {"op": "pong"}

    def infer(self, request: Message) -> Message:
        """Run the picture that lies in the exchange."""
        frame = _whole(request, "frame")
        if self._exchange is None:
            raise RunnerError("no exchange is open", "infer", "send exchange first")
        start = time.perf_counter_ns()
        written = self._exchange.run(self._net)
        self._frames += 1
        return {"op": "done", "frame": frame, "bytes": written, "infer_ns": time.perf_counter_ns() - start}

    def stats(self, request: Message) -> Message:
        """Tell whatever else is known."""
        return {"op": "stats", "values": [{"name": "frames", "value": self._frames, "unit": "frames"}]}

    def bye(self, request: Message) -> Message:
        """Agree to the end."""
        return {"op": "bye"}


class Mapped:
    """Both files in memory: one tensor each, from their first byte on."""

    def __init__(self, request: Message, taken: Tensor, given: Tensor) -> None:
        self._input, self._output = (
            _mapped(*_file(request, side, tensor), tensor) for side, tensor in (("input", taken), ("output", given))
        )

    def run(self, net: ToyNet) -> int:
        """Run the picture that lies there; the number of bytes written."""
        self._output[...] = net(self._input)
        return int(self._output.nbytes)


class Files:
    """Both files, kept open: after the answer they have no name any more."""

    def __init__(self, request: Message, taken: Tensor, given: Tensor) -> None:
        self._tensor = taken
        (self._input, self._size), (self._output, _) = _file(request, "input", taken), _file(request, "output", given)

    def run(self, net: ToyNet) -> int:
        """Run the picture that lies there; the number of bytes written."""
        data = os.pread(self._input, self._size, 0)
        picture = np.frombuffer(data, self._tensor.dtype).reshape(self._tensor.shape)
        return os.pwrite(self._output, net(picture).tobytes(), 0)


REQUESTS: Dict[str, Callable[[Runner, Message], Message]] = {
    "hello": Runner.hello, "load": Runner.load, "exchange": Runner.exchange, "ping": Runner.ping,
    "infer": Runner.infer, "stats": Runner.stats, "bye": Runner.bye,
}  # fmt: skip


def serve(runner: Runner) -> int:
    """Answer line by line until bye or the end of standard input; the exit status."""
    for line in iter(lambda: sys.stdin.buffer.readline(LONGEST_LINE_BYTES), b""):
        if not line.endswith(b"\n"):
            return 1
        try:
            answer = runner.answer(_request(line))
        except RunnerError as error:
            answer = error.answer
        sys.stdout.buffer.write(json.dumps(answer).encode("ascii") + b"\n")
        sys.stdout.buffer.flush()
        if answer["op"] == "bye":
            break
    return 0


def _request(line: bytes) -> Message:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RunnerError(f"the line is no JSON: {error}", "request", "send one object per line") from error
    if not isinstance(found, dict):
        raise RunnerError("the line is no JSON object", "request", "send one object per line")
    return found


def _file(request: Message, side: str, tensor: Tensor) -> Tuple[int, int]:
    """(descriptor, bytes) of one file of the exchange, whose size must be that of the tensor."""
    path, told = _text(request, f"{side}_path"), _whole(request, f"{side}_bytes")
    size = tensor.size * np.dtype(tensor.dtype).itemsize
    if told != size:
        raise RunnerError(
            f"{side}_bytes = {told}, and the model has {size}", f"{side}_bytes", "lay them out as documented"
        )
    try:
        return os.open(path, os.O_RDWR), size
    except OSError as error:
        raise RunnerError(f"the file cannot be opened: {error.strerror}", path) from error


def _mapped(descriptor: int, size: int, tensor: Tensor) -> Array:
    try:
        memory = mmap.mmap(descriptor, size)
    except (OSError, ValueError) as error:
        raise RunnerError(f"the file cannot be mapped: {error}", tensor.name) from error
    finally:
        os.close(descriptor)
    return np.ndarray(tensor.shape, tensor.dtype, memory)


def _text(request: Message, key: str) -> str:
    value = request.get(key)
    if not isinstance(value, str) or not value:
        raise RunnerError(f"{key} = {value!r} is no text", key)
    return value


def _whole(request: Message, key: str) -> int:
    value = request.get(key)
    if type(value) is not int or value < 0:
        raise RunnerError(f"{key} = {value!r} is no whole number", key)
    return value


if __name__ == "__main__":
    sys.exit(serve(Runner()))
