"""A job on a board that is not this machine: the same results, files put once, every end one sentence."""

from __future__ import annotations

import errno
import io
import os
import tarfile
import time
from dataclasses import replace

import pytest

from harness.board import attempts
from harness.board.health import read_health
from harness.board.remote import local_status, unpacked
from harness.case import TaskSpec
from harness.dispatch import run_job, run_pair, run_survey
from harness.errors import (
    BusyError,
    ConfigError,
    CutShortError,
    DiskError,
    EngineError,
    HarnessError,
    InfraError,
    UnreachableError,
    WorkerError,
)
from harness.identity import found_on
from harness.paired import PairedJob
from harness.survey import SurveyJob
from harness.telemetry import Telemetry
from harness.transports import Reach
from tests.board.wired import Counted, board, opened_here, through

EXACT = {"infer_ms": 8, "sigma": 0}


@pytest.fixture
def carried(make_job, tmp_path):
    """Run a job with this .sim file on the board; `asked` goes into [board]."""

    def run(sim=None, said=None, noted=None, deadline_s=30.0, **asked):
        job = make_job(sim or EXACT)
        job = replace(job, plan=replace(job.plan, deadline_s=deadline_s))
        progress = (said if said is not None else []).append
        note = (noted if noted is not None else []).append
        return run_job(job, board(tmp_path, **asked), tmp_path / "work", lambda *words: progress(words), None, note)

    return run


def test_a_board_measures_what_this_process_would(carried, make_job, measured, tmp_path):
    said = []
    with through(tmp_path):
        run = carried(said=said)
    here = measured(make_job(EXACT))
    assert run.frame_ns.tolist() == here.frame_ns.tolist()
    assert run.marks == here.marks
    assert list(dict.fromkeys(words[0] for words in said))[:3] == ["loading", "warm-up", "measuring"]
    left = {one.name for one in (tmp_path / "work").iterdir()}
    assert left == {"job.json", "run.json", "run.npz", "worker.log", "journal"}


# .sim file -> the kind of error and what its sentence says, as on this machine
FAULTS = [
    ({"fault": "refuse"}, EngineError, "the simulated engine refuses the model"),
    ({"fault": "crash", "fault_at": 3}, WorkerError, "the worker crashed with SIGABRT"),
    ({"fault": "out_of_memory"}, WorkerError, "out of memory: the simulated engine ran out of memory"),
    ({"unknown_key": 1}, EngineError, "unknown keys ['unknown_key']"),
]


@pytest.mark.parametrize(("sim", "kind", "said"), FAULTS, ids=[said for _, _, said in FAULTS])
def test_a_failing_worker_there_becomes_the_same_sentence(carried, tmp_path, sim, kind, said):
    with through(tmp_path), pytest.raises(HarnessError) as caught:
        carried(sim)
    assert type(caught.value) is kind
    assert said in caught.value.sentence
    assert read_health(tmp_path / "state", "simulated").failed == 0


def test_a_worker_that_ends_well_with_nothing_is_the_labs_fault_and_tried_twice_more(carried, tmp_path):
    noted = []
    with through(tmp_path):
        with pytest.raises(CutShortError, match="ended well without its last record"):
            carried({"fault": "vanish"}, noted=noted)
        assert [one.partition(", since ")[0] for one in noted] == ["simulated/eyes/fp32/simulated: tried again"] * 2
        for number in (1, 2):
            assert (tmp_path / f"work.attempt-{number}" / "journal").read_bytes()
        with pytest.raises(InfraError, match=r"marked bad since 2.*`harness board check simulated` clears it"):
            carried()
    health = read_health(tmp_path / "state", "simulated")
    assert (health.attempts, health.failed, len(health.failures)) == (3, 3, 3)


def test_a_hanging_worker_there_is_ended_and_nothing_of_it_stays(carried, processes, tmp_path):
    with through(tmp_path):
        with pytest.raises(WorkerError, match="gave no sign of progress within its deadline of 2 s"):
            carried({"fault": "hang"}, deadline_s=2)
        assert are_gone(lambda: processes(str(tmp_path / "board" / "runs")))


def are_gone(found):
    """Within a few seconds: the shell that watched over a worker still sweeps up when that is dead."""
    until = time.monotonic() + 10
    while found() and time.monotonic() < until:
        time.sleep(0.02)
    return not found()


def test_files_and_code_are_put_once_and_again_where_their_size_is_wrong(carried, tmp_path):
    with through(tmp_path) as own:
        carried()
        (stored,) = (tmp_path / "board" / "store").glob("*/model.sim")
        first = stored.stat().st_ino
        carried()
        assert stored.stat().st_ino == first
        stored.write_bytes(b"cut")
        carried()
        assert stored.read_bytes() == (tmp_path / "model.sim").read_bytes()
        assert own.session
    assert not list((tmp_path / "board" / "runs").iterdir())
    assert len(list((tmp_path / "board" / "code").iterdir())) == 1


def test_a_warm_board_is_asked_twice_a_job_beside_the_looks(carried, tmp_path):
    counted = []

    def opened(reach):
        counted.append(Counted(opened_here(reach)))
        return counted[0]

    with through(tmp_path, opened=opened):
        carried()
        cold = list(counted[0].asked)
        counted[0].asked.clear()
        carried()
        warm = [one for one in counted[0].asked if one != "poll"]
    assert warm == ["run", "run"]
    assert sorted(one for one in cold if one != "poll") == ["put"] * 3 + ["run"] * 3 + ["spawn"]


class LosesAnAnswer(Counted):
    """The first run is begun there, and nobody hears of it."""

    def run(self, command, *, deadline_s, text=b""):
        answer = self.transport.run(command, deadline_s=deadline_s, text=text)
        if b'"launch"' in text and "lost" not in self.asked:
            self.asked.append("lost")
            assert b'"started": true' in answer.out
            raise UnreachableError("the link ended")
        return answer


def test_a_worker_that_was_started_unheard_is_ended_by_the_next_try(carried, processes, tmp_path):
    with through(tmp_path):
        carried()
    noted, lossy = [], LosesAnAnswer(opened_here(Reach(device="board", transport="ssh")))
    with through(tmp_path, opened=lambda reach: lossy):
        carried(noted=noted)
    assert len(noted) == 1
    assert "the link ended" in noted[0]
    assert not list((tmp_path / "board" / "runs").iterdir())
    assert are_gone(lambda: processes(str(tmp_path / "board" / "runs")))


def test_the_board_is_free_at_the_end_of_a_session_and_kept_between_its_jobs(carried, tmp_path):
    with through(tmp_path):
        carried()
        with through(tmp_path), pytest.raises(BusyError, match=r"board simulated: busy: .+@.+, since 2") as caught:
            carried()
        assert caught.value.failure_class == "INFRA"
        carried()
    with through(tmp_path):
        carried()
    assert read_health(tmp_path / "state", "simulated").failed == 0


def test_a_board_without_room_is_refused_before_anything_is_sent(carried, tmp_path):
    noted = []
    with through(tmp_path), pytest.raises(DiskError, match="MiB are wanted"):
        carried(noted=noted, min_free_mib=1e12)
    assert not list((tmp_path / "board" / "store").iterdir())
    assert not list((tmp_path / "board" / "runs").iterdir())


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, DiskError), (errno.EACCES, ConfigError)])
def test_what_this_machine_cannot_write_is_no_fault_of_the_board_and_not_tried_again(make_job, tmp_path, number, kind):
    noted = []

    def failing(phase, done, total):
        raise OSError(number, os.strerror(number))

    with through(tmp_path), pytest.raises(kind, match=f"this machine cannot .*{os.strerror(number)}"):
        run_job(make_job(EXACT), board(tmp_path), tmp_path / "work", failing, None, noted.append)
    assert not noted
    assert read_health(tmp_path / "state", "simulated").failed == 0


ANSWERS = ["", "7", "[]", "null", "{}", "[" * 5000, '{"python": 7}', '{"python": [3, "x"], "base": 1}', "\x1b[31m"]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_a_board_that_answers_nonsense_is_the_labs_fault_in_one_sentence(make_job, monkeypatch, tmp_path, answer):
    monkeypatch.setattr(attempts, "AGAIN", 0)
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\ncat >/dev/null\nprintf '%s\\n' '{answer}'\n")
    script.chmod(0o700)
    with through(tmp_path), pytest.raises(CutShortError, match="answer cannot be read"):
        run_job(make_job(EXACT), board(tmp_path, python=str(script)), tmp_path / "work", lambda *words: None)
    with through(tmp_path), pytest.raises(CutShortError, match="answer cannot be read"):
        found_on(board(tmp_path, python=str(script)))


def test_a_package_of_ones_own_does_not_travel_and_that_is_said(make_job, tmp_path):
    job = make_job(EXACT, task=TaskSpec("custom", {"score": "own.module:score"}))
    with through(tmp_path), pytest.raises(ConfigError, match="does not travel to a board"):
        run_job(job, board(tmp_path), tmp_path / "work", lambda *words: None)


def test_an_interpreter_that_is_not_there_is_named_with_the_key_that_names_another(make_job, tmp_path):
    with through(tmp_path), pytest.raises(ConfigError, match=r"python9 cannot be used.*`python` in devices/simulated"):
        run_job(make_job(EXACT), board(tmp_path, python="python9"), tmp_path / "work", lambda *words: None)


def test_a_pair_and_a_survey_travel_too(make_job, tmp_path):
    job = make_job(EXACT)
    pair = PairedJob(reference=job, candidate=job, rounds=2, seed=1)
    survey = SurveyJob(
        engines={"a": {"engine": "simulated"}, "b": {"engine": "null"}}, telemetry=Telemetry(), seconds=0
    )
    with through(tmp_path):
        assert run_pair(pair, board(tmp_path), tmp_path / "pair", lambda *words: None).frame_ns.shape[:2] == (2, 3)
        found = run_survey(survey, board(tmp_path), tmp_path / "survey")
    assert found.engines == {"a": "", "b": ""}


def test_whoever_gives_up_here_leaves_no_worker_and_no_run_there(make_job, processes, tmp_path):
    plan = replace(make_job(EXACT).plan, frames=2000)
    job = make_job({"infer_ms": 20, "sigma": 0}, options={"real_time": True}, plan=plan)

    def interrupted(phase, done, total):
        if phase == "measuring":
            assert processes(str(tmp_path / "board" / "runs"))
            raise KeyboardInterrupt

    with through(tmp_path):
        with pytest.raises(KeyboardInterrupt):
            run_job(job, board(tmp_path), tmp_path / "work", interrupted)
        assert are_gone(lambda: processes(str(tmp_path / "board" / "runs")))
    assert not list((tmp_path / "board" / "runs").iterdir())
    assert (tmp_path / "lock").read_text() == ""


STATUSES = [(0, 0), (3, 3), (255, 255), (127, 127), (137, -9), (139, -11), (128, 128)]


@pytest.mark.parametrize(("status", "local"), STATUSES)
def test_a_status_of_a_shell_means_what_a_process_of_this_machine_would_mean(status, local):
    assert local_status(status) == local


def archive(*members, compression=""):
    """A tar archive of these members: name, type, size that it claims, and what it links to."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=f"w:{compression}") as file:
        for name, kind, size, target in members:
            one = tarfile.TarInfo(name)
            one.type, one.linkname, one.size = kind, target, size
            file.addfile(one, io.BytesIO(b"x" * size) if kind == tarfile.REGTYPE else None)
    return stream.getvalue()


def test_only_plain_files_of_an_archive_are_taken():
    links = [
        ("a", tarfile.SYMTYPE, 0, "/etc/passwd"),
        ("b", tarfile.LNKTYPE, 0, "none"),
        ("c", tarfile.SYMTYPE, 0, "c"),
    ]
    others = [("d", tarfile.CHRTYPE, 0, ""), ("e", tarfile.DIRTYPE, 0, ""), ("f", tarfile.FIFOTYPE, 0, "")]
    assert unpacked(archive(*links, *others, ("run.json", tarfile.REGTYPE, 3, ""))) == {"run.json": b"xxx"}


def test_a_file_with_holes_that_claims_to_be_huge_is_not_unfolded():
    one = tarfile.TarInfo("run.npz")
    one.pax_headers = {"GNU.sparse.size": str(2**40), "GNU.sparse.map": "0,0", "GNU.sparse.name": "run.npz"}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as file:
        file.addfile(one)
    assert unpacked(stream.getvalue()) == {}


@pytest.mark.parametrize("content", [b"", b"no archive", b"x" * 2000, archive(("a", b"0", 9, ""), compression="gz")])
def test_results_that_are_no_archive_are_named(content):
    with pytest.raises(CutShortError, match="the results cannot be read"):
        unpacked(content)
