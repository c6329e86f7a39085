"""A conversation with one runner (docs/external-runner.md): every answer is checked, every fault an EngineError."""

from __future__ import annotations

from typing import Any, Callable, Dict, Mapping, NamedTuple, Optional, Sequence, TypeVar, Union

from harness.errors import EngineError
from harness.runtimes.runner_answers import Hello, Loaded, read_hello, read_infer_ns, read_loaded, read_stats
from harness.runtimes.runner_exchange import Exchange
from harness.runtimes.runner_lines import PROTOCOL, decode_answer, encode_request
from harness.runtimes.runner_process import ONE_ANSWER, RunnerProcess

Told = TypeVar("Told")
LONGEST_S = 86400.0
SPECIFICATION = "docs/external-runner.md has the form of each answer"
# What a runner calls its answer.
ANSWERS = {
    "hello": "hello", "load": "loaded", "exchange": "ready", "ping": "pong", "infer": "done", "stats": "stats",
    "bye": "bye",
}  # fmt: skip


class Deadlines(NamedTuple):
    """How long a runner may take for each answer, in seconds; bye: until it has ended. exchange and stats as infer."""

    hello_s: float = 20.0
    load_s: float = 100.0
    infer_s: float = 10.0
    bye_s: float = 5.0

    def of(self, op: str) -> float:
        """That of one request."""
        return {"hello": self.hello_s, "load": self.load_s, "bye": self.bye_s}.get(op, self.infer_s)

    def check(self) -> None:
        """EngineError for what is no time to wait."""
        for name, value in self._asdict().items():
            if not 0 < value <= LONGEST_S:
                raise EngineError(
                    f"the deadline {name} = {value:g} of the runner", where="runtime external",
                    remedy=f"write seconds above 0, at most {LONGEST_S:g}",
                )  # fmt: skip


class RunnerClient:
    """One running runner; entered, it is started, and left, it is ended without a word."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], deadlines: Deadlines) -> None:
        deadlines.check()
        self._command, self._environment, self._deadlines = command, environment, deadlines
        self._output_bytes = 0

    def __enter__(self) -> RunnerClient:
        self.process = RunnerProcess(self._command, self._environment)
        return self

    def __exit__(self, *error: object) -> None:
        self.process.end()

    def hello(self) -> Hello:
        """Agree on the version of the protocol."""
        told = self._told(read_hello, "hello", protocol=PROTOCOL)
        self.process.name = told.name
        if told.protocol != PROTOCOL:
            raise self.process.fault(
                f"speaks version {told.protocol} of the protocol and was asked for {PROTOCOL}",
                "answer hello with the highest version that both speak; take a runner and a harness that fit",
            )
        return told

    def load(self, path: str, sha256: str, options: Mapping[str, str]) -> Loaded:
        """Load a model; its sizes are fixed from now on."""
        own = {f"option.{name}": value for name, value in options.items()}
        return self._told(read_loaded, "load", path=path, sha256=sha256, **own)

    def share(self, exchange: Exchange, kind: str) -> None:
        """Let the runner open the two files, which then lose their names."""
        paths, sizes = exchange.paths, exchange.sizes_bytes
        self.ask(
            "exchange",
            kind=kind,
            input_path=paths[0],
            input_bytes=sizes[0],
            output_path=paths[1],
            output_bytes=sizes[1],
        )
        exchange.hide()
        self._output_bytes = sizes[1]

    def ping(self) -> None:
        """An empty exchange of lines."""
        self.ask("ping")

    def infer(self, frame: int) -> Optional[int]:
        """Run the frame that lies in the exchange; the runner's own nanoseconds for it where it tells them."""
        answer = self.ask("infer", frame=frame)
        if answer.get("frame") != frame or type(answer["frame"]) is not int:
            raise self.process.fault(f"answered frame {answer.get('frame')!r} where {frame} was asked for", ONE_ANSWER)
        if answer.get("bytes") != self._output_bytes:
            raise self.process.fault(
                f"wrote {answer.get('bytes')!r} bytes of outputs, and what it told at load has {self._output_bytes}",
                "answer bytes = the size of the whole output file, and fix the shapes at load",
            )
        return self._checked(read_infer_ns, answer, "answered infer with")

    def stats(self) -> Dict[str, Dict[str, Any]]:
        """Whatever the runner measures beside: name -> value and unit."""
        return self._told(read_stats, "stats")

    def bye(self) -> int:
        """End the conversation; the exit status. EngineError where the runner stays, or ends otherwise than well."""
        self.ask("bye")
        status = self.process.wait(self._deadlines.bye_s)
        if status:
            raise self.process.fault(f"ended with status {status} after bye", "let it return 0 when all went well")
        return status

    def ask(self, op: str, **fields: Union[str, int]) -> Dict[str, Any]:
        """Any request; its answer, whose fields are not yet checked. EngineError where the runner refuses."""
        answer = self.request(op, **fields)
        if answer["op"] == "error":
            what, where, remedy = (str(answer.get(name) or "") for name in ("what", "where", "remedy"))
            raise EngineError(f"the runner {self.process.name} refuses {op}: {what}", where=where, remedy=remedy)
        return answer

    def request(self, op: str, **fields: Union[str, int]) -> Dict[str, Any]:
        """Any request; its answer, or the error that the runner answers."""
        line = self.process.ask(encode_request(op, **fields), self._deadlines.of(op))
        answer = self._checked(decode_answer, line, "wrote")
        if answer["op"] not in ("error", ANSWERS.get(op, "error")):
            raise self.process.fault(f"answered {op} with {answer['op']!r}", SPECIFICATION)
        return answer

    def _told(self, reader: Callable[[Dict[str, Any]], Told], op: str, **fields: Union[str, int]) -> Told:
        return self._checked(reader, self.ask(op, **fields), f"answered {op} with")

    def _checked(self, reader: Callable[[Any], Told], answer: Any, did: str) -> Told:
        try:
            return reader(answer)
        except ValueError as error:
            raise self.process.fault(f"{did} {error}", SPECIFICATION) from error
