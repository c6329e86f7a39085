"""The checks of `harness check-runner`, one per rule of docs/external-runner.md, which the docstring states."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from harness.case import Array
from harness.runnerbench import UNWRITTEN, Bench, NotAskedError, RuleError, Talk, Tensors
from harness.runtimes.runner_answers import Hello
from harness.runtimes.runner_client import RunnerClient
from harness.runtimes.runner_exchange import EXCHANGES, Exchange
from harness.runtimes.runner_lines import decode_answer, encode_request

FRAMES = 50
LOG_BYTES_PER_FRAME = 200
BIG_SHAPE = (1, 3, 720, 960)


def _hello(bench: Bench) -> None:
    """An answer to hello with protocol, name, engine, version, formats and exchanges."""
    with bench.greeted() as talk:
        if not set(talk.hello.exchanges) & set(EXCHANGES):
            raise RuleError(f"exchanges with one of {list(EXCHANGES)}", f"{list(talk.hello.exchanges)}")


def _newer_protocol(bench: Bench) -> None:
    """The runner's own version in answer to a hello with a newer one."""
    with RunnerClient(bench.command, {}, bench.deadlines) as client:
        answer = client.ask("hello", protocol=999)
        if answer.get("protocol") != 1:
            raise RuleError('"protocol":1', f'"protocol":{answer.get("protocol")}', "answer the version you implement")


def _no_protocol(bench: Bench) -> None:
    """An error in answer to a hello with a version that nobody speaks."""
    with RunnerClient(bench.command, {}, bench.deadlines) as client:
        Talk(client, Hello(1, "", "", "", (), ())).refuses("hello", "hello with protocol 0", protocol=0)


def _unknown_request(bench: Bench) -> None:
    """An error in answer to a request that does not exist, and the next one answered as ever."""
    with bench.greeted() as talk:
        talk.refuses("dance", "a request that does not exist")
        talk.client.ping()


def _pieces(bench: Bench) -> None:
    """One answer per line, however the lines are cut on their way."""
    with bench.greeted() as talk:
        line, process = encode_request("ping"), talk.client.process
        process.write(line[:5])
        # No wait for anything: long enough that the runner reads the half by itself before the rest is there.
        time.sleep(0.05)
        answers = [process.ask(line[5:], bench.deadlines.infer_s)]
        process.write(line[:-1])
        answers.append(process.ask(b"\n", bench.deadlines.infer_s))
        for answer in answers:
            if decode_answer(answer)["op"] != "pong":
                raise RuleError("pong", repr(answer), "read until the line's end, and keep what is left over")


def _bad_path(bench: Bench) -> None:
    """An error in answer to a model that is not there, and the right model loaded afterwards."""
    with bench.greeted() as talk:
        missing = str(bench.folder / 'no "such" model\\ü')
        talk.refuses("load", "a file that does not exist", path=missing, sha256="")
        bench.load(talk)


def _too_early(bench: Bench) -> None:
    """An error in answer to infer without a model."""
    with bench.greeted() as talk:
        talk.refuses("infer", "infer before load and exchange", frame=1)


def _wrong_size(bench: Bench) -> None:
    """An error in answer to an exchange of another size than the model's."""
    with bench.loaded() as talk, Exchange(talk.loaded.inputs, talk.loaded.outputs, EXCHANGES[0], "") as other:
        (input_path, output_path), (input_bytes, output_bytes) = other.paths, other.sizes_bytes
        talk.refuses(
            "exchange", "an input file of another size", kind=talk.exchange_kind, output_path=output_path,
            input_path=input_path, output_bytes=output_bytes, input_bytes=input_bytes + 64,
        )  # fmt: skip


def _load(bench: Bench) -> None:
    """The model loaded, with name, dtype and shape of each input and output, and the exchange opened."""
    with bench.loaded() as talk:
        talk.client.ping()


def _alive(bench: Bench) -> None:
    """Outputs that are wholly written, finite, and different for different frames."""
    with bench.loaded() as talk:
        answers = [talk.outputs(seed, seed) for seed in (1, 2, 3)]
        again = talk.outputs(1, 4, UNWRITTEN[1])
        for spec in talk.loaded.outputs:
            values = [answer[spec.name] for answer in answers]
            # Over two fills: a right value may look like one of them.
            untouched = _still(values[0], UNWRITTEN[0]) & _still(again[spec.name], UNWRITTEN[1])
            if untouched.any():
                raise RuleError(
                    f"{spec.name!r} wholly written", f"{untouched.sum()} of its {untouched.size} values did not change",
                    "write all of it to the output file, at its offset",
                )  # fmt: skip
            if not all(bool(np.isfinite(value.astype(np.float64)).all()) for value in values):
                raise RuleError(f"{spec.name!r} finite", "NaN or infinity", "check the inputs' dtype, shape and order")
        if all(np.array_equal(answers[0][name], one[name]) for one in answers[1:] for name in one):
            raise RuleError(
                "other outputs for other frames", "the same for three frames of noise", "read the inputs anew"
            )


def _repeatable(bench: Bench) -> None:
    """The same outputs for the same frame, also with another one between."""
    with bench.loaded() as talk:
        first, _, again = talk.outputs(1, 1), talk.outputs(2, 2), talk.outputs(1, 3)
        _same(first, again, "the outputs of the first showing")


def _frame_ids(bench: Bench) -> None:
    """Each answer with the frame's own number, whatever it is."""
    with bench.loaded() as talk:
        for frame in (7, 3, 2**53):
            talk.outputs(1, frame)


def _exchanges(bench: Bench) -> None:
    """The same outputs over every exchange that hello names."""
    with bench.greeted() as talk:
        kinds = [kind for kind in talk.hello.exchanges if kind in EXCHANGES]
    if len(kinds) < 2:
        raise NotAskedError(f"the runner has one exchange only: {', '.join(kinds)}")
    answers = []
    for kind in kinds:
        with bench.loaded(kind) as talk:
            answers.append(talk.outputs(1, 1))
    _same(answers[0], answers[1], f"the outputs over {kinds[0]}")


def _big_frames(bench: Bench) -> None:
    """Frames of 8 MB answered like small ones."""
    with bench.greeted() as talk:
        if "toy" not in talk.hello.formats:
            raise NotAskedError("only a toy network can be made that big")
    with replace(bench, model=bench.toy(BIG_SHAPE)).loaded() as talk:
        first, again = talk.outputs(1, 1), talk.outputs(1, 2)
        _same(first, again, "the outputs of the first showing")


def _quiet(bench: Bench) -> None:
    """A log that does not grow with every frame: writing it costs the frame's time."""
    with bench.loaded() as talk:
        before = talk.client.process.log_bytes
        for frame in range(FRAMES):
            talk.outputs(1, frame)
        talk.client.ping()
        per_frame = (talk.client.process.log_bytes - before) / FRAMES
        if per_frame > LOG_BYTES_PER_FRAME:
            wanted = f"at most {LOG_BYTES_PER_FRAME} bytes of log per frame"
            raise RuleError(wanted, f"{per_frame:.0f}", "log at load, not in each frame")


def _stats(bench: Bench) -> None:
    """An answer to stats: a list, empty perhaps, of name, value and unit."""
    with bench.loaded() as talk:
        talk.outputs(1, 1)
        talk.client.stats()


def _bye(bench: Bench) -> None:
    """An answer to bye, then the end with status 0 and nothing left running."""
    with bench.loaded() as talk:
        talk.outputs(1, 1)
        talk.client.bye()
        _nothing_left(talk.client)


def _end_of_input(bench: Bench) -> None:
    """The end of the runner when its standard input ends: that is how it learns that the harness died."""
    with bench.loaded() as talk:
        talk.client.process.close_input()
        talk.client.process.wait(bench.deadlines.bye_s)
        _nothing_left(talk.client)


def _half_a_line(bench: Bench) -> None:
    """A last line without its end not carried out, and not answered."""
    with bench.greeted() as talk:
        talk.client.process.write(encode_request("ping")[:-1])
        talk.client.process.close_input()
        talk.client.process.wait(bench.deadlines.bye_s)


def _restarts(bench: Bench) -> None:
    """Three runs, one after the other, with the same outputs: nothing of one is in the way of the next."""
    answers = []
    for _ in range(3):
        with bench.loaded() as talk:
            answers.append(talk.outputs(1, 1))
            talk.client.bye()
    for answer in answers[1:]:
        _same(answers[0], answer, "the outputs of the first run")


def _still(value: Array, fill: int) -> Array:
    """For each value, whether all its bytes are `fill`."""
    return np.asarray((value.reshape(-1, 1).view(np.uint8) == fill).all(axis=1))


def _same(first: Tensors, second: Tensors, what: str) -> None:
    for name, value in first.items():
        a, b = value.astype(np.float64), second[name].astype(np.float64)
        largest = float(np.abs(a - b).max())
        if not largest <= 1e-4 * max(float(np.abs(a).max()), 1e-6):
            raise RuleError(
                f"{what} again", f"{name!r} differs by {largest:.3g}", "start each frame from the same state"
            )


def _nothing_left(client: RunnerClient) -> None:
    left = client.process.process_ids()
    if left:
        raise RuleError(
            "no process left over", f"processes {left}", "end what the runner started before it ends itself"
        )


# What comes after one of these needs it.
GATES = ("hello", "load")
CHECKS: dict[str, Callable[[Bench], None]] = {
    "hello": _hello,
    "hello with a newer version": _newer_protocol,
    "hello with no version": _no_protocol,
    "a request that does not exist": _unknown_request,
    "requests in pieces": _pieces,
    "infer too early": _too_early,
    "load": _load,
    "a model that is not there": _bad_path,
    "an exchange of another size": _wrong_size,
    "outputs are alive": _alive,
    "outputs repeat": _repeatable,
    "frame numbers come back": _frame_ids,
    "every exchange": _exchanges,
    "big frames": _big_frames,
    "a quiet log": _quiet,
    "stats": _stats,
    "bye": _bye,
    "the end of standard input": _end_of_input,
    "a last line without its end": _half_a_line,
    "three runs": _restarts,
}
