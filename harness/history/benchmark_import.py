"""Sessions from the JSON file of pytest-benchmark (--benchmark-json)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.case import Case, Plan
from harness.errors import ConfigError
from harness.history.rows import TIME
from harness.metrics import PERCENTILES
from harness.record import SessionRecord
from harness.stats.bounds import minimum_frames, nearest_rank

MS_PER_S = 1e3
# Names of a host, and readings that differ from one start to the next.
VOLATILE = re.compile(r"node|release|cpu\.hz_.*|cpu\.cpuinfo_version.*")
_CASE_ID = re.compile(r"\[([^][/]+)/([^][/]+)/([^][/]+)/([^][/]+)\]$")

Seconds = Annotated[float, Field(ge=0)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class _Stats(_Part):
    min: Seconds
    median: Seconds
    mean: Seconds
    rounds: Annotated[int, Field(ge=1)]
    data: tuple[Seconds, ...] = ()


class _Benchmark(_Part):
    name: str
    fullname: str
    extra_info: dict[str, Any] = {}
    stats: _Stats


class _File(_Part):
    machine_info: dict[str, Any]
    commit_info: dict[str, Any] = {}
    benchmarks: tuple[_Benchmark, ...]
    datetime: datetime
    version: str


def read_benchmarks(path: Path) -> list[SessionRecord]:
    """A session for each benchmark of the file; the same file gives the same ids.

    ConfigError where it cannot be read, with the line where it is not JSON and the key where a value is wrong.
    """
    try:
        found = _File.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", where=str(path)) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}".lstrip(": ") for one in error.errors())
        remedy = "give a file that pytest wrote with --benchmark-json"
        raise ConfigError(f"no results of pytest-benchmark: {faults}", where=str(path), remedy=remedy) from error
    return [_session(found, number) for number in range(len(found.benchmarks))]


def _session(found: _File, number: int) -> SessionRecord:
    benchmark, machine = found.benchmarks[number], dict(_scalars(found.machine_info))
    at = found.datetime.replace(tzinfo=found.datetime.tzinfo or UTC).astimezone(UTC)
    return SessionRecord(
        id=_id(found, number), at=at.strftime(TIME), purpose="import", case=_case(benchmark.name),
        plan=Plan(name="pytest-benchmark", frames=benchmark.stats.rounds),
        identity={name: value for name, value in machine.items() if not VOLATILE.fullmatch(name)},
        context={name: value for name, value in machine.items() if VOLATILE.fullmatch(name)},
        provenance=_provenance(found, benchmark),
        simulated=bool(benchmark.extra_info.get("simulated")), valid=True, values=_values(benchmark.stats),
    )  # fmt: skip


def _id(found: _File, number: int) -> str:
    """Made from the content, so that a file that is imported twice is there once."""
    words = (found.datetime, found.machine_info.get("node"), found.benchmarks[number].fullname, number)
    return uuid.uuid5(uuid.NAMESPACE_OID, repr(words)).hex


def _case(name: str) -> Case:
    found = _CASE_ID.search(name)
    return Case(*found.groups()) if found else Case("imported", name, "-", "-")


def _provenance(found: _File, benchmark: _Benchmark) -> dict[str, Any]:
    return {
        **{f"extra.{name}": value for name, value in _scalars(benchmark.extra_info)},
        "test": benchmark.fullname,
        "commit": found.commit_info.get("id"),
        "pytest_benchmark": found.version,
    }


def _values(stats: _Stats) -> dict[str, tuple[float, ...]]:
    """From the rounds where the file has them; percentiles only of as many rounds as they need."""
    found = {"min": stats.min, "median": stats.median, "mean": stats.mean}
    if stats.data:
        rounds = np.array(stats.data)
        found = {"min": float(rounds.min()), "median": float(np.median(rounds)), "mean": float(rounds.mean())}
        for label, share in PERCENTILES.items():
            if len(rounds) >= minimum_frames(share):
                found[label] = nearest_rank(rounds, share)
    return {f"round_{label}_ms": (value * MS_PER_S,) for label, value in found.items()}


def _scalars(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What is a scalar, also in tables within; lists (CPU flags, versions as numbers) are left out."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _scalars(value, f"{prefix}{name}.")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value
