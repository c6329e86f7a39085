"""The worker on a board: what its journal tells, how it ends, who may measure, and that nothing of it is left."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.boardlock import Holder, Lock, boot_id
from harness.boardworker import ALONE, BUSY, RESULTS, WRITE_FAILED, salvage
from harness.case import STAGES, Arrivals, Run
from harness.errors import BusyError
from harness.journal import read_lines
from harness.paired import PairedJob, PairedRun
from harness.survey import Survey, SurveyJob
from harness.telemetry import Telemetry
from harness.transports import Reach
from harness.transports.local import Local
from tests.simulated import QUICK

EXACT = {"infer_ms": 8, "sigma": 0.05}
MINE, THEIRS = Holder("mine", "me@here", "10:00"), Holder("theirs", "them@there", "11:00")
LONG_SURVEY = SurveyJob({}, Telemetry(probes={"board": {"kind": "simulated"}}), 60.0)


@pytest.fixture
def lock(tmp_path):
    return str(tmp_path / "lock")


@pytest.fixture
def start(tmp_path, lock):
    """Start a worker for a job in a folder of its own: the folder and the process."""

    def begin(job, holder=MINE, deadline_s=60.0, number=0, lost_s=60.0, **options):
        folder = tmp_path / f"run{number}"
        folder.mkdir()
        session = {**vars(holder), "lease_s": 60, "lock": lock, "deadline_s": deadline_s, "lost_s": lost_s}
        (folder / "session.json").write_text(json.dumps(session))
        (folder / "job.json").write_text(job.to_json())
        command = [sys.executable, "-m", "harness.boardworker", str(folder)]
        return folder, subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)

    return begin


@pytest.fixture
def work(start):
    """The same, waited for: the folder, the exit status and what was said on standard error."""

    def carry_out(job, **options):
        folder, process = start(job, **options)
        said = process.communicate(timeout=60)[1]
        return folder, process.returncode, said

    return carry_out


def journal_of(folder):
    found = read_lines((folder / "journal").read_bytes())
    assert found.damaged == 0
    return found.records


def kinds(records):
    return [one["kind"] for one in records]


def test_a_job_leaves_its_run_and_a_journal_that_tells_it_frame_by_frame(work, make_job, measured):
    job = make_job(EXACT)
    folder, status, said = work(job)
    assert (status, said) == (0, "")
    run, (start, *records, end) = Run.load(folder), journal_of(folder)
    assert run.frame_ns.tolist() == measured(job).frame_ns.tolist()
    assert start.pop("pid") > 0
    assert start == {"kind": "start", "run": "run0", "boot_id": boot_id(), "planned": 60}
    assert end == {"kind": "end", "status": 0, "frames": 60}
    phases = [one["phase"] for one in records if one["kind"] == "said"]
    assert list(dict.fromkeys(phases)) == ["loading", "warm-up", "measuring", "outputs", "repeats"]
    columns = salvage(records)
    for name, column in {"frame": run.frame_ns, "start": run.start_ns, "cpu": run.cpu_ns, **run.stages}.items():
        assert columns[name].tolist() == column.tolist()


def test_every_result_is_told_with_its_checksum(work, make_job):
    folder, _, _ = work(make_job(EXACT))
    told = {one["name"]: one for one in journal_of(folder) if one["kind"] == "file"}
    assert set(told) == {"run.npz", "run.json"}
    for name, one in told.items():
        content = (folder / name).read_bytes()
        assert (one["size"], one["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_pairs_and_surveys_are_carried_out_too(work, make_job):
    pair = PairedJob(make_job(EXACT), make_job(EXACT), rounds=3, seed=1)
    folder, status, _ = work(pair)
    assert (status, len(PairedRun.load(folder).frame_ns)) == (0, 3)
    records = journal_of(folder)
    assert (records[0]["planned"], records[-1]["frames"]) == (3, 0)
    folder, status, _ = work(replace(LONG_SURVEY, seconds=0.1), number=1)
    assert status == 0
    assert [one.probe for one in Survey.load(folder).traces] == ["board"]
    assert kinds(journal_of(folder)) == ["start", "file", "end"]


def test_an_engine_that_refuses_is_status_3_with_an_error_that_is_told_as_a_result(work, make_job):
    folder, status, said = work(make_job({"fault": "refuse"}))
    assert status == 3
    assert "the simulated engine refuses the model" in said
    assert json.loads((folder / "error.json").read_text())["type"] == "EngineError"
    *_, file, end = journal_of(folder)
    assert (file["name"], end["status"]) == ("error.json", 3)


@pytest.mark.parametrize(("fault", "status"), [("crash", -signal.SIGABRT), ("vanish", 0)])
def test_a_worker_that_dies_leaves_the_frames_before_and_no_end(work, make_job, fault, status):
    folder, ended, _ = work(make_job({**EXACT, "infer_ms": 50, "sigma": 0, "fault": fault, "fault_at": 55}))
    records = journal_of(folder)
    assert ended == status
    assert records[-1]["kind"] != "end"
    assert 0 < len(salvage(records)["frame"]) < 60


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.9])
def test_a_full_disk_ends_it_with_74_and_keeps_every_record_before(work, make_job, share):
    job = make_job({**EXACT, "infer_ms": 50})
    folder, _, _ = work(job)
    whole = (folder / "journal").read_bytes()
    limit = int(share * len(whole))

    def fill():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    folder, status, _ = work(job, number=1, preexec_fn=fill)
    assert status == WRITE_FAILED
    assert not (folder / "error.json").exists()
    if share:
        kept, full = journal_of(folder), read_lines(whole).records
        assert kinds(kept) == kinds(full)[: len(kept)]
        found, all_of_them = salvage(kept), salvage(full)
        assert found["frame"].tolist() == all_of_them["frame"][: len(found["frame"])].tolist()


def test_a_worker_over_its_deadline_ends_by_alarm_with_its_children(start, children):
    folder, process = start(LONG_SURVEY, deadline_s=4.0)
    sampler = children(process)
    assert process.wait(20) == -signal.SIGALRM
    assert gone(sampler)
    assert kinds(journal_of(folder)) == ["start"]


def test_nothing_of_a_worker_outlives_its_kill(start, children, lock):
    _, process = start(LONG_SURVEY)
    sampler = children(process)
    process.kill()
    process.wait()
    assert gone(sampler)
    Lock(lock, MINE).close()


@pytest.fixture
def children(request):
    """The children of a process, once it has some; they and it are ended with the test."""

    def find(process):
        request.addfinalizer(lambda: (process.kill(), process.communicate()))
        path = f"/proc/{process.pid}/task/{process.pid}/children"
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with open(path) as file:
                if found := [int(one) for one in file.read().split()]:
                    return found
            time.sleep(0.01)
        raise AssertionError("it started no process")

    return find


def gone(ids):
    until = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{one}") and _state(one) != "Z" for one in ids):
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def _state(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_it_ends_its_work_without_the_process_that_started_it(tmp_path, make_job, lock):
    folder = tmp_path / "run"
    folder.mkdir()
    session = {**vars(MINE), "lease_s": 60, "lock": lock, "deadline_s": 60, "lost_s": 60}
    (folder / "session.json").write_text(json.dumps(session))
    (folder / "job.json").write_text(make_job({**EXACT, "infer_ms": 5}, options={"real_time": True}).to_json())
    script = f"setsid {sys.executable} -m harness.boardworker {folder} > {folder}/log 2>&1 < /dev/null & exit 7"
    assert subprocess.run(["sh", "-c", script], check=False).returncode == 7
    until = time.monotonic() + 30
    while time.monotonic() < until and not (folder / "run.json").exists():
        time.sleep(0.05)
    time.sleep(0.2)
    assert kinds(journal_of(folder))[-1] == "end"


def test_a_worker_that_nobody_asks_any_more_ends_of_itself_and_leaves_the_board_free(work, make_job):
    endless = make_job({**EXACT, "infer_ms": 50}, options={"real_time": True}, plan=replace(QUICK, frames=2000))
    folder, status, said = work(endless, lost_s=1.5)
    assert (status, said) == (ALONE, "ended, since nobody has asked for 1.5 s\n")
    assert "end" not in kinds(journal_of(folder))
    assert work(make_job(EXACT), holder=MINE, number=1)[1] == 0


BUILDING = """
import sys, time
from pathlib import Path
from harness.boardworker import _Asked
from harness.windows import while_saying
asked = _Asked(Path(sys.argv[1]), 0.5)
while_saying(lambda: time.sleep(600), lambda waited_s: asked.require())
"""


def test_who_is_not_asked_any_more_does_not_wait_for_an_engine_that_is_built_in_another_thread(tmp_path):
    command = [sys.executable, "-c", BUILDING, str(tmp_path / "polled")]
    assert subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60, check=False).returncode == ALONE


def test_a_worker_that_is_asked_goes_on(start, make_job):
    job = make_job({**EXACT, "infer_ms": 20}, options={"real_time": True}, plan=replace(QUICK, frames=150))
    folder, process = start(job, lost_s=1.5)
    local = Local(Reach(device="here", transport="local"))
    while process.poll() is None:
        local.poll(str(folder), 0, wait_s=0.3)
    process.communicate()
    assert (process.returncode, kinds(journal_of(folder))[-1]) == (0, "end")


def test_a_second_user_is_told_who_has_the_board_and_the_first_is_unharmed(start, work, make_job, children):
    _, process = start(LONG_SURVEY, holder=MINE)
    children(process)
    folder, status, said = work(make_job(EXACT), holder=THEIRS, number=1)
    assert (status, said) == (BUSY, "busy: me@here, since 10:00\n")
    assert not (folder / "journal").exists()
    assert process.poll() is None


def test_a_lease_keeps_the_board_between_two_jobs_of_a_session_until_it_is_released(work, make_job, lock):
    assert work(make_job(EXACT))[1] == 0
    assert work(make_job(EXACT), number=1)[1] == 0
    assert work(make_job(EXACT), holder=THEIRS, number=2)[1] == BUSY
    command = [sys.executable, "-m", "harness.boardworker", "--release"]
    assert subprocess.run([*command, "another", lock], check=False).returncode == 0
    with pytest.raises(BusyError):
        Lock(lock, THEIRS)
    assert subprocess.run([*command, "mine", lock], check=False).returncode == 0
    Lock(lock, THEIRS).close()


def test_salvage_ends_at_the_first_gap(work, make_job):
    folder, _, _ = work(make_job({**EXACT, "infer_ms": 100}))
    frames = [one for one in journal_of(folder) if one["kind"] == "frames"]
    whole = salvage(frames)["frame"]
    assert len(frames) > 4
    head = whole[: frames[3]["first"]].tolist()
    broken = [{"data": "!"}, {"data": None}, {"count": 1}, {"first": 0}, {"data": frames[3]["data"][:-4]}]
    for damage in ([], *([{**frames[3], **one}] for one in broken)):
        assert salvage([*frames[:3], *damage, *frames[4:]])["frame"].tolist() == head
    assert [len(column) for column in salvage([]).values()] == [0] * 6
    assert set(STAGES) < set(salvage([]))
    assert np.dtype(np.int64) == salvage(frames)["frame"].dtype
    assert set(RESULTS) >= {"run.npz", "run.json"}


def test_frames_at_the_cameras_pace_are_journalled_with_when_they_were_due(work, make_job, measured):
    job = make_job(EXACT, plan=replace(QUICK, frames=90, arrivals=Arrivals(60.0)))
    folder, status, said = work(job)
    assert (status, said) == (0, "")
    run, columns = Run.load(folder), salvage(journal_of(folder))
    assert len(columns["frame"]) == 90
    assert set(run.camera) == {"index", "due_ns", "lateness_ns"}
    for name, column in {"frame": run.frame_ns, "start": run.start_ns, **run.camera}.items():
        assert columns[name].tolist() == column.tolist()
    assert run.camera["due_ns"].tolist() == measured(job).camera["due_ns"].tolist()
