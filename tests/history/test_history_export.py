"""Tables for other programs, and results from another program."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.history import open_history
from harness.history.benchmark_import import read_benchmarks
from harness.history.export import export_csv, export_parquet, without_formula
from harness.metrics import PERCENTILES
from harness.record import SessionRecord
from harness.stats.bounds import minimum_frames
from tests.history.records import record

HEAD = ["session", "at", "purpose", "device", "model", "variant", "runtime", "simulated", "valid", "metric", "process",
        "value"]  # fmt: skip


SIGNS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
FORMULAS = ["=cmd()", "@SUM(A1)", "\t=1", "\r=1", " =1", "\u3000\uff1d1", *(f"{sign}1" for sign in SIGNS)]


def cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parquet_cells(path: Path) -> list[dict[str, Any]]:
    from pyarrow import parquet

    found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return found


def test_every_value_is_a_row_with_its_case_and_identity(tmp_path):
    one, other = (
        record(identity={"soc": "a"}),
        record(2, identity={"cores": 4}, values={"load_ms": (1.25,)}, valid=False),
    )
    assert export_csv([one, other], tmp_path / "a.csv") == 5
    assert export_parquet([one, other], tmp_path / "a.parquet") == 5
    texts, typed = cells(tmp_path / "a.csv"), parquet_cells(tmp_path / "a.parquet")
    assert list(texts[0]) == list(typed[0]) == [*HEAD, "identity.cores", "identity.soc"]
    assert [float(row["value"]) for row in texts] == [row["value"] for row in typed] == [5.0, 5.1, 150.0, 151.0, 1.25]
    assert typed[-1] == {
        "session": other.id, "at": other.at, "purpose": "check", "device": "bench", "model": "eyes", "variant": "int8",
        "runtime": "ort", "simulated": False, "valid": False, "metric": "load_ms", "process": 0, "value": 1.25,
        "identity.cores": 4, "identity.soc": None,
    }  # fmt: skip
    assert texts[0]["identity.cores"] == ""


def test_a_history_without_sessions_is_a_table_without_rows(tmp_path):
    assert export_csv([], tmp_path / "a.csv") == export_parquet([], tmp_path / "a.parquet") == 0
    assert (tmp_path / "a.csv").read_text().strip() == ",".join(HEAD)
    assert parquet_cells(tmp_path / "a.parquet") == []


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_is_a_formula_for_a_spreadsheet(tmp_path, text):
    export_csv([record(case=Case(text, "m", "v", "r"), identity={text: text, "number": -2})], tmp_path / "a.csv")
    row = cells(tmp_path / "a.csv")[0]
    assert (row["device"], row[f"identity.{text}"], row["identity.number"]) == (f"'{text}", f"'{text}", "-2")


@given(start=st.text(" \t\r\n\u3000", max_size=3), sign=st.sampled_from(SIGNS), rest=st.text(max_size=5))
def test_a_sign_behind_whatever_space_is_guarded(start, sign, rest):
    text = start + sign + rest
    assert without_formula(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", " ", "a=1", "1-2", "'=1", "eyes/int8", "me@bench", "\uff11"])
def test_text_that_is_no_formula_stays(text):
    assert without_formula(text) == text


@pytest.mark.parametrize("text", ['a,"b"\nc', "ü🚗", "\ud800", "\0", "'x"])
def test_odd_text_does_not_break_the_table(tmp_path, text):
    session = record(case=Case(text, "m", "v", "r"), values={"a_ms": (1.0,)})
    export_csv([session], tmp_path / "a.csv")
    export_parquet([session], tmp_path / "a.parquet")
    expected = text.replace("\ud800", "\\ud800")
    assert [row["device"] for row in cells(tmp_path / "a.csv")] == [expected]
    assert [row["device"] for row in parquet_cells(tmp_path / "a.parquet")] == [expected]


@pytest.mark.parametrize(
    ("values", "expected"),
    [([1, 2], [1, 2]), ([1, None], [1, None]), ([1, "a"], ["1", "a"]), ([True, 2], ["True", "2"]), ([2**70, 1], None)],
)
def test_a_parquet_column_has_the_type_that_its_values_share(tmp_path, values, expected):
    export_parquet([record(identity={"x": value}, values={"a": (1,)}) for value in values], tmp_path / "a.parquet")
    found = [row["identity.x"] for row in parquet_cells(tmp_path / "a.parquet")]
    assert found == (expected or [str(value) for value in values])


@pytest.mark.parametrize("export", [export_csv, export_parquet])
def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path, refused, export):
    (tmp_path / "a").mkdir()
    with refused("cannot be written", str(tmp_path / "a")):
        export([record()], tmp_path / "a")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_parquet_without_its_library_is_said(tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with refused("pip install 'dms-harness[parquet]'", kind=ConfigError):
        export_parquet([record()], tmp_path / "a.parquet")


def benchmarks(*, file: Any = None, **changes: Any) -> dict[str, Any]:
    """A file of pytest-benchmark with one benchmark."""
    benchmark = {
        "name": "test_speed[host/eyes/fp32/ort]", "fullname": "suites/test_latency.py::test_speed[host/eyes/fp32/ort]",
        "extra_info": {"engine": "ort", "placement": {"CPU": 1.0}, "providers": ["CPU"]},
        "stats": {"min": 0.001, "median": 0.002, "mean": 0.0025, "rounds": 40},
    }  # fmt: skip
    return {
        "machine_info": {
            "node": "vm-17", "machine": "x86_64", "system": "Linux", "release": "6.1", "python_version": "3.11.7",
            "python_build": ["main", "May"],
            "cpu": {"brand_raw": "EPYC", "count": 2, "hz_actual": [1, 0], "hz_actual_friendly": "2.5961 GHz",
                    "flags": ["sse"], "cpuinfo_version_string": "9.0.0"},
        },
        "commit_info": {"id": "abc", "dirty": False},
        "benchmarks": [{**benchmark, **changes}], "datetime": "2026-01-05T10:00:00.5+02:00", "version": "5.1.0",
        **(file or {}),
    }  # fmt: skip


def imported(folder: Path, content: Any) -> list[SessionRecord]:
    path = folder / "benchmarks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return read_benchmarks(path)


def test_a_benchmark_becomes_a_session(tmp_path):
    (session,) = imported(tmp_path, benchmarks())
    assert (session.purpose, session.case) == ("import", Case("host", "eyes", "fp32", "ort"))
    assert session.at == "2026-01-05T08:00:00Z"
    assert session.values == {"round_min_ms": (1.0,), "round_median_ms": (2.0,), "round_mean_ms": (2.5,)}
    assert session.identity == {
        "machine": "x86_64", "system": "Linux", "python_version": "3.11.7", "cpu.brand_raw": "EPYC", "cpu.count": 2,
    }  # fmt: skip
    assert session.context["node"] == "vm-17"
    assert (session.provenance["commit"], session.provenance["extra.engine"]) == ("abc", "ort")
    assert (session.plan.frames, session.valid, session.simulated, session.runs) == (40, True, False, ())


@pytest.mark.parametrize(
    ("name", "case"),
    [
        ("test_x", Case("imported", "test_x", "-", "-")),
        ("test_x[1-2]", Case("imported", "test_x[1-2]", "-", "-")),
        ("test_x[a/b/c]", Case("imported", "test_x[a/b/c]", "-", "-")),
        ("test_x[a/b/c/d/e]", Case("imported", "test_x[a/b/c/d/e]", "-", "-")),
        ("test_x[a//c/d]", Case("imported", "test_x[a//c/d]", "-", "-")),
        ("test_x[a/b/c/d]", Case("a", "b", "c", "d")),
        ("test_x[i.MX 8/b/c/d-2]", Case("i.MX 8", "b", "c", "d-2")),
    ],
)
def test_the_test_id_names_the_case_where_it_can(tmp_path, name, case):
    assert imported(tmp_path, benchmarks(name=name))[0].case == case


@pytest.mark.parametrize("rounds", [1, 2, 299, 3000])
def test_rounds_give_the_percentiles_that_they_are_enough_for(tmp_path, rounds):
    data = [(index + 1) / 1000 for index in range(rounds)]
    stats = {"min": 9, "median": 9, "mean": 9, "rounds": rounds, "data": data}
    values = imported(tmp_path, benchmarks(stats=stats))[0].values
    assert values["round_min_ms"] == (1.0,)
    assert values["round_median_ms"][0] == pytest.approx(np.median(data) * 1000)
    known = {label for label, share in PERCENTILES.items() if rounds >= minimum_frames(share)}
    assert set(values) == {f"round_{label}_ms" for label in ("min", "median", "mean", *known)}


def test_a_file_that_is_imported_twice_is_there_once(tmp_path, sqlite_path):
    content = benchmarks()
    content["benchmarks"] *= 2
    with open_history(sqlite_path) as history:
        for _ in range(2):
            for session in imported(tmp_path, content):
                history.record(session)
        assert len(history.sessions()) == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["JSON", "line 1"]),
        ('{\n"a": 1,\n"b": }', ["JSON", "line 3"]),
        ("[" * 100_000, ["JSON"]),
        ('{"machine_info": NaN}', ["machine_info"]),
        ("[]", ["object"]),
        ("\xff", ["JSON"]),
        (benchmarks(stats={"min": 1, "median": 1, "rounds": 1}), ["benchmarks.0.stats.mean"]),
        (benchmarks(stats={"min": -1, "median": 1, "mean": 1, "rounds": 1}), ["benchmarks.0.stats.min"]),
        (benchmarks(stats={"min": 1, "median": 1, "mean": 1, "rounds": 0}), ["benchmarks.0.stats.rounds"]),
        (benchmarks(stats={"min": "x", "median": 1, "mean": 1, "rounds": 1}), ["benchmarks.0.stats.min"]),
        (benchmarks(stats={"min": 1, "median": 1, "mean": 1e999, "rounds": 1}), ["benchmarks.0.stats.mean"]),
        (benchmarks(name=3), ["benchmarks.0.name"]),
        (benchmarks(file={"datetime": "yesterday"}), ["datetime"]),
        (benchmarks(file={"benchmarks": {}}), ["benchmarks"]),
    ],
)
def test_a_bad_file_is_said_with_its_place(tmp_path, refused, content, words):
    with refused(*words, "benchmarks.json", "--benchmark-json", kind=ConfigError):
        imported(tmp_path, content)


def test_a_missing_file_is_said(tmp_path, refused):
    with refused("cannot be read", "none.json", kind=ConfigError):
        read_benchmarks(tmp_path / "none.json")


def test_a_time_of_no_zone_is_utc(tmp_path):
    assert imported(tmp_path, benchmarks(file={"datetime": "2026-01-05T10:00:00"}))[0].at == "2026-01-05T10:00:00Z"


def test_machine_facts_that_cannot_be_kept_are_refused(tmp_path, sqlite_path):
    content = json.dumps(benchmarks(file={"machine_info": {"gpu": "X"}})).replace('"X"', "Infinity")
    with open_history(sqlite_path) as history, pytest.raises(HarnessError):
        history.record(imported(tmp_path, content)[0])


def test_what_pytest_benchmark_really_writes_is_read(tmp_path):
    (tmp_path / "test_real.py").write_text(
        "import pytest\n@pytest.mark.parametrize('case', ['host/eyes/fp32/ort', 'other'])\n"
        "def test_sum(benchmark, case):\n    benchmark.pedantic(sum, args=([1, 2],), rounds=5)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:harness.plugin",
               "--benchmark-json=out.json", "test_real.py"]  # fmt: skip
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    sessions = read_benchmarks(tmp_path / "out.json")
    assert [one.case.device for one in sessions] == ["host", "imported"]
    assert all(0 < one.values["round_min_ms"][0] <= one.values["round_median_ms"][0] for one in sessions)
    assert not any("hz" in name for name in sessions[0].identity)
