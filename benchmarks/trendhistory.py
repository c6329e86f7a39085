"""A large history with the ups and downs of a real one, in seconds: for the trend report's benchmarks and tests.

`python -m benchmarks.trendhistory h.sqlite --cases 10 --metrics 5 --sessions 2000` writes one.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import ndtri
from sqlalchemy import Connection, Table, insert

from benchmarks.trendverdicts import TAIL, TYPICAL, verdicts
from benchmarks.trendworld import (
    ACCURACY,
    FRAMES,
    MEASURED,
    PROCESSES,
    CaseHistory,
    Slot,
    World,
    chosen_cases,
    command,
    compact,
    digits,
    identity,
)
from harness.case import Array, Case, Plan, Run
from harness.history import open_history
from harness.history.database import Database
from harness.history.location import parse_location
from harness.history.rows import child_rows
from harness.history.schema import ANNOTATION, FAILURE, INVOCATION, POINT, RAW, RUN, SESSION, VERDICT
from harness.record import SessionRecord
from harness.stats.bounds import nearest_rank
from harness.telemetry import Channel, Trace

RAW_SESSIONS, RAW_ACCEPTED, RAW_FRAMES, PERIOD_NS = 2, 3, 300, 100_000_000
# Of the logs of frames: what lies between the typical percentiles of `MEASURED`.
SPREAD = 0.129
PLAN = Plan("standard", FRAMES, PROCESSES)
# Each so many sessions a device has one more run, in which nothing could be measured.
LOST_EVERY, COMMITS_EVERY = 97, 3
Row = tuple[Any, ...]


def synthetic_history(path: Path, *, cases: int, metrics: int, sessions: int, seed: int = 1) -> Path:
    """A new SQLite history of so many sessions of each case; the same rows for the same seed.

    Of every case: 12 accepted sessions at the start and after each of two changes of its identity, steps with new
    builds, invalid sessions, verdicts with their inputs, raw times of the newest two and of three that were accepted
    last. In the newest run the first case has a regression, the second an improvement, the third a broken budget, the
    fourth a disturbed session, and one more of each device could not be measured. metrics: so many of `MEASURED`.
    """
    world = World(cases=tuple(chosen_cases(cases)), metrics=tuple(MEASURED)[:metrics], sessions=sessions, seed=seed)
    open_history(path)
    raw, runs = list(_raw(world)), list(_invocations(world))
    tables = {
        SESSION: _sessions(world), POINT: _points(world), RUN: _only(RUN, raw), RAW: _only(RAW, raw),
        VERDICT: _verdicts(world), ANNOTATION: _annotations(world), INVOCATION: _only(INVOCATION, runs),
        FAILURE: _only(FAILURE, runs),
    }  # fmt: skip
    with Database(parse_location(path)).writing() as connection:
        for table, rows in tables.items():
            _insert(connection, table, rows)
    return path


def _insert(connection: Connection, table: Table, rows: Iterable[Row]) -> None:
    """One prepared statement for all rows, past the library that would look at each."""
    statement = str(insert(table).compile(dialect=connection.dialect, column_keys=table.columns.keys()))
    driver: Any = connection.connection.driver_connection
    driver.executemany(statement, rows)


def _only(table: Table, rows: Iterable[tuple[Table, Row]]) -> list[Row]:
    return [row for one, row in rows if one is table]


def _number(world: World, index: int, case: int) -> int:
    """The key of a session: all cases of one time follow each other."""
    return index * len(world.cases) + case + 1


def _sessions(world: World) -> Iterator[Row]:
    plan = compact(asdict(PLAN))
    calm, busy = (compact({"background_percent": percent, "known_work_ns": 2.1e6}) for percent in (0.4, 23.0))
    for slot in world.slots:
        for place, history in enumerate(world.histories):
            case, valid = history.case, bool(history.valid[slot.index])
            yield (
                _number(world, slot.index, place), world.id(case, slot.index), slot.at, slot.purpose, case.device,
                case.model, case.variant, case.runtime, plan, *identity(case.device, case.runtime, slot.generation),
                calm if valid else busy, _provenance(world, history, slot), case.device == "simulated", valid,
            )  # fmt: skip


def _provenance(world: World, history: CaseHistory, slot: Slot) -> str:
    case, change = history.case, slot.first // COMMITS_EVERY
    model = digits(f"{world.seed} {case.key} {history.builds[slot.index]}", 64)
    parent = "" if case.variant == "fp32" else '"parent":"fp32",'
    return (
        f'{{"command":"{command(case.device, slot)}","commit":"{digits(str(change), 12)}","harness":"0.1.0",'
        f'"model_sha256":"{model}",{parent}"run":"{world.run(case.device, slot)}",'
        f'"subject":"Change {change} of the model"}}'
    )


def _points(world: World) -> Iterator[Row]:
    """In the order of the key, which is how the table is kept."""
    told = [
        [(metric, history.values[metric].tolist()) for metric in sorted({*world.metrics} - {ACCURACY})]
        for history in world.histories
    ]
    for index in range(world.sessions):
        for place, columns in enumerate(told):
            number = _number(world, index, place)
            for metric, values in columns:
                for process, value in enumerate(values[index]):
                    yield number, metric, process, value


def _verdicts(world: World) -> Iterator[Row]:
    judged = [verdicts(world, history) for history in world.histories]
    for index in range(world.sessions):
        for place, sessions in enumerate(judged):
            number = _number(world, index, place)
            for order, row in enumerate(sessions[index]):
                yield number, order, *row


def _raw(world: World) -> Iterator[tuple[Table, Row]]:
    """The raw times of the newest sessions and of some accepted ones, packed by the program itself."""
    accepted = [one for one in world.slots if one.accepted == world.acceptances[-1]][-RAW_ACCEPTED:]
    shown = sorted({one.index for one in (*accepted, *world.slots[-RAW_SESSIONS:])})
    for slot, (place, history) in itertools.product(map(world.slots.__getitem__, shown), enumerate(world.histories)):
        number = _number(world, slot.index, place)
        told = {metric: values[slot.index].tolist() for metric, values in history.values.items()}
        first = world.seed + number * PROCESSES
        runs = tuple(
            _run({metric: values[process] for metric, values in told.items()}, first + process)
            for process in range(PROCESSES)
        )
        record = SessionRecord(
            id=world.id(history.case, slot.index), at=slot.at, purpose="check", case=history.case, plan=PLAN,
            identity={}, context={}, provenance={}, simulated=False, valid=True, values={}, runs=runs,
        )  # fmt: skip
        for table, entries in child_rows(record).items():
            for entry in entries:
                yield table, (number, *entry.values())


def _frames_ns(values: Mapping[str, float], seed: int) -> Array:
    """Two halves of a log-normal law in any order, which meet the process's P25 and, by nearest rank, its P99."""
    deviation = ndtri((np.arange(RAW_FRAMES) + 0.5) / RAW_FRAMES)
    typical = values[TYPICAL] * np.exp(-SPREAD * ndtri(0.25))
    upper = np.log(values[TAIL] / typical) / nearest_rank(deviation, 0.99) if TAIL in values else SPREAD
    frame_ms = typical * np.exp(np.where(deviation < 0, SPREAD, upper) * deviation)
    shuffled: Array = np.random.default_rng(seed).permutation(frame_ms * 1e6).astype(np.int64)
    return shuffled


def _run(values: Mapping[str, float], seed: int) -> Run:
    frame = _frames_ns(values, seed)
    start = np.cumsum(frame)
    time_ns = np.arange(PERIOD_NS // 2, start[-1], PERIOD_NS)
    readings = np.stack([np.linspace(44.0, 52.0, len(time_ns)), np.full(len(time_ns), 1377.6)], axis=1)
    trace = Trace(
        probe="board", channels=(Channel("CPU", "C"), Channel("clock", "MHz")), values=readings,
        time_ns=time_ns, period_ns=PERIOD_NS,
    )  # fmt: skip
    return Run(
        stages={"pre": frame // 8, "infer": frame * 3 // 4, "post": frame // 16}, frame_ns=frame, start_ns=start,
        cpu_ns=frame * 9 // 10, warmup_ns=frame[:25] * 2,
        marks={"load_ns": 2.5e8, "harness_cost_median_ns": 900.0, "harness_cost_p99_ns": 2100.0},
        facts={"engine": "onnxruntime", "version": "1.31.1", "phases": {"frames": [0, int(start[-1])]}},
        traces=(trace,),
    )  # fmt: skip


def _annotations(world: World) -> Iterator[Row]:
    first, engine, board = ("firmware", "the first one"), ("firmware", "a newer engine"), ("hardware", "a new board")
    at = [slot.at for slot in world.slots]
    remarks: list[Row] = [(at[index], None, *said) for index, said in zip(world.changes, (first, engine, board))]
    remarks.append((at[world.sessions // 2], world.cases[0].key, "expected", "a larger input was agreed on"))
    accepted = {at[index]: None for index in world.acceptances if index < world.sessions}
    remarks += [(time, case.key, "accepted", "new baseline") for time in accepted for case in world.cases]
    for number, remark in enumerate(remarks, start=1):
        yield number, *remark, "ann"


def _invocations(world: World) -> Iterator[tuple[Table, Row]]:
    """One run of each device per session, and now and then one more."""
    numbers = itertools.count(1)
    devices = {case.device: [one for one in world.cases if one.device == case.device] for case in world.cases}
    for slot, (device, cases) in itertools.product(world.slots, devices.items()):
        if slot.first != slot.index:
            continue
        newest = slot.index == world.sessions - 1
        refused = [Case(device, cases[0].model, "fp16", cases[0].runtime)] if newest else []
        engine = ("EngineError", "the engine refuses the model: no kernel for float16")
        yield from _invocation(next(numbers), world.run(device, slot), slot, [*cases, *refused], refused, *engine)
        if slot.index % LOST_EVERY == LOST_EVERY // 2:
            lost = digits(f"{world.seed} {device} {slot.index} lost", 12)
            yield from _invocation(next(numbers), lost, slot, cases, cases, "WorkerError", "ended by signal 9")


def _invocation(
    number: int, run: str, slot: Slot, asked: list[Case], failed: list[Case], kind: str, sentence: str
) -> Iterator[tuple[Table, Row]]:
    device = asked[0].device
    keys = compact([one.key for one in asked])
    part = (False, False, False)  # neither interrupted, nor a choice of tests or models
    yield INVOCATION, (number, run, slot.at, device, command(device, slot), slot.purpose, "nightly", *part, keys)
    for order, case in enumerate(failed):
        yield FAILURE, (number, order, *astuple(case), "", kind, sentence)


def main() -> None:
    """Write one history and say how long it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    for name, default in (("cases", 10), ("metrics", 5), ("sessions", 2000), ("seed", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parsed = parser.parse_args()
    start = time.perf_counter()
    synthetic_history(**vars(parsed))
    print(f"{parsed.path}: {parsed.path.stat().st_size / 1e6:.1f} MB in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
