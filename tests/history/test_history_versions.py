"""Schema versions: an older history is migrated with its data, a newer or a strange one is left alone."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from harness.case import Plan
from harness.errors import ConfigError
from harness.history import open_history
from harness.history.database import Database
from harness.history.location import parse_location
from harness.history.schema import METADATA, VERSION
from harness.history.upgrade import MIGRATIONS, upgrade
from tests.history.processes import start
from tests.history.records import CASE, record, run_record, same, verdict

ID = "ab" * 16
TIMES_NS = [5_000_000, 5_100_000, 4_900_000]
FIRST_VERSION_ROWS = """
INSERT INTO session (id, at, purpose, device, model, variant, runtime, plan, identity, identity_sha256, context,
                     provenance, simulated)
VALUES (:id, '2025-12-31T03:00:00Z', 'accept', 'bench', 'eyes', 'int8', 'ort',
        '{"name": "nightly", "frames": 3, "gone": 1}', '{"soc": "x"}', :sha256, '{"temperature_c": 40.5}',
        '{"commit": "abc"}', FALSE);
INSERT INTO point (session, metric, process, value) VALUES (1, 'frame_p50_ms', 0, 5.0), (1, 'frame_p50_ms', 1, 5.25);
INSERT INTO run (session, number, facts, marks) VALUES (1, 0, '{"engine": "ort"}', '{"load_ns": 150.5}');
INSERT INTO raw (session, run, name, length, data)
VALUES (1, 0, 'frame_ns', 3, :data), (1, 0, 'start_ns', 3, :data), (1, 0, 'cpu_ns', 3, :data),
       (1, 0, 'warmup_ns', 3, :data), (1, 0, 'stage_infer', 3, :data);
INSERT INTO verdict (session, number, metric, outcome, gate, rule, inputs, sentence, value, limit_value)
VALUES (1, 0, 'frame_p99_ms', 'PASS', TRUE, 'limit/1', '{"value": 5}', 'fast', 5.0, 50.0)
"""


def execute(location: str, script: str, **values: object) -> None:
    """Run the statements of `script` as another program would."""
    with Database(parse_location(location)).writing() as connection:
        for statement in script.split(";"):
            connection.execute(text(statement), values)


SECOND_VERSION_ROWS = """
UPDATE session SET valid = FALSE;
INSERT INTO annotation (at, case_key, kind, text, author)
VALUES ('2026-01-01T00:00:00Z', NULL, 'overheard', 'moved', 'ann')
"""


@pytest.fixture
def first_version(location: str) -> str:
    """A history of version 1 with one session, as a program of that time left it."""
    upgrade(Database(parse_location(location)), version=1)
    differences = np.diff(np.array(TIMES_NS), prepend=0).astype("<i8").tobytes()
    sha256 = "9c2f5c5b2d0a7a5c4f9c8a7d0d7d0b0f9f7f9d1a5b8a3e6c1e0a9d8c7b6a5f4e"
    execute(location, FIRST_VERSION_ROWS, id=ID, data=zlib.compress(differences), sha256=sha256)
    return location


def test_a_history_of_version_1_keeps_its_data(first_version):
    with open_history(first_version, create=False) as history:
        found = history.find(ID, with_runs=True)
        assert (found.at, found.purpose, found.case) == ("2025-12-31T03:00:00Z", "accept", CASE)
        assert (found.simulated, found.valid) == (False, True)
        assert found.plan == Plan("nightly", 3)
        assert found.values == {"frame_p50_ms": (5.0, 5.25)}
        assert (found.identity, found.context) == ({"soc": "x"}, {"temperature_c": 40.5})
        assert (found.verdicts[0].rule, found.verdicts[0].inputs, found.verdicts[0].limit) == (
            "limit/1",
            {"value": 5},
            50,
        )
        assert found.verdicts[0].error_class == ""
        assert history.runs() == []
        assert found.runs[0].frame_ns.tolist() == found.runs[0].stages["infer"].tolist() == TIMES_NS
        assert (found.runs[0].facts, found.runs[0].marks) == ({"engine": "ort"}, {"load_ns": 150.5})
        assert history.check() == []


def test_a_history_of_version_2_keeps_its_data(first_version):
    upgrade(Database(parse_location(first_version)), version=2)
    execute(first_version, SECOND_VERSION_ROWS)
    with open_history(first_version, create=False) as history:
        (found,) = history.sessions()
        assert (found.id, found.valid, found.verdicts[0].error_class) == (ID, False, "")
        # Kinds were free then.
        assert [(one.kind, one.text) for one in history.annotations()] == [("overheard", "moved")]
        rows = history.trend_rows()
        assert (rows.heads[0].id, rows.means.value.tolist(), rows.runs) == (ID, [5.125], [])
        assert history.check() == []


def test_a_migrated_history_takes_what_is_new(first_version):
    disqualified = record(valid=False, verdicts=(verdict("INVALID", error_class="INFRA"),))
    run = run_record()
    with open_history(first_version) as history:
        history.record(disqualified)
        history.record_run(run)
        history.annotate(None, "2026-01-01T00:00:00Z", "note", "updated", "ann")
    with open_history(first_version) as history:
        assert [one.valid for one in history.sessions()] == [True, False]
        assert same(history.find(disqualified.id, with_runs=True), disqualified)
        assert [one.text for one in history.annotations()] == ["updated"]
        assert history.runs() == [run]


def test_a_migration_that_fails_changes_nothing(first_version, refused):
    execute(first_version, "CREATE TABLE annotation (mine INTEGER)")
    with refused(kind=ConfigError):
        open_history(first_version)
    execute(first_version, "DROP TABLE annotation")
    with open_history(first_version) as history:
        assert [one.id for one in history.sessions()] == [ID]


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_several_programs_may_migrate_at_once(first_version):
    children = [start(open_history, first_version) for _ in range(5)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * 5
    with open_history(first_version) as history:
        assert [one.id for one in history.sessions()] == [ID]


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("4", ["version 4", f"knows {VERSION}", "update dms-harness"]),
        ("1000", ["version 1000"]),
        ("abc", ["version is abc"]),
        ("-1", ["version is -1"]),
        ("0", ["version is 0"]),
        ("", ["version"]),
    ],
)
def test_a_history_of_an_unknown_version_is_not_read(location, refused, version, words):
    with open_history(location) as history:
        history.record(record())
    execute(location, "UPDATE history_version SET version_num = :version", version=version)
    with refused(*words, kind=ConfigError):
        open_history(location)


def test_a_newer_history_is_left_as_it_is(sqlite_path, refused):
    open_history(sqlite_path)
    execute(str(sqlite_path), "UPDATE history_version SET version_num = '4'")
    content = sqlite_path.read_bytes()
    with refused("version 4", kind=ConfigError):
        open_history(sqlite_path)
    assert sqlite_path.read_bytes() == content


@pytest.mark.parametrize("versions", ["DELETE FROM history_version", "INSERT INTO history_version VALUES ('1')"])
def test_a_history_without_one_version_is_not_read(location, refused, versions):
    open_history(location)
    execute(location, versions)
    with refused("damaged", "version", kind=ConfigError):
        open_history(location)


def test_the_table_of_another_program_is_left_alone(location, refused):
    if "postgresql" not in location:
        Path(location).parent.mkdir()
    execute(location, "CREATE TABLE session (cookie TEXT)")
    with refused("another program", "of its own", kind=ConfigError):
        open_history(location)


def test_the_newest_migration_is_the_version_of_the_program():
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(MIGRATIONS))
    assert scripts.get_current_head() == str(VERSION)
    assert [one.revision for one in scripts.walk_revisions()] == [str(one) for one in range(VERSION, 0, -1)]


def test_the_migrations_make_the_tables_that_the_program_uses(new_location: Callable[[], str]):
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    location = new_location()
    open_history(location)
    with Database(parse_location(location)).reading() as connection:
        options = {"version_table": "history_version"}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), METADATA) == []


def test_plans_are_kept_as_json_that_other_programs_can_read(sqlite_path):
    with open_history(sqlite_path) as history:
        history.record(record())
    with closing(sqlite3.connect(sqlite_path)) as connection:
        (plan,) = connection.execute("SELECT plan FROM session").fetchone()
    assert json.loads(plan)["frames"] == 60
