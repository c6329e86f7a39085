"""The worker process: `python -m harness.agent JOB.json OUT_DIR` carries out one Job, PairedJob, CascadeJob,
OverlapJob or SurveyJob and leaves what it measured.

Lines that start with `@dms ` on standard output are progress; everything else there and on standard
error is the engine's own talk. On failure OUT_DIR/error.json says what is wrong.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any, List, Mapping

from harness.case import Job, save_predictions
from harness.errors import ConfigError, HarnessError, WorkerError
from harness.measure import Recorded, ignore_records, measure
from harness.members import member
from harness.processes import end_with_parent
from harness.tasks.preprocess import one_thread
from harness.warmup import Say

PROGRESS = "@dms "
END_WITH_PARENT = "DMS_END_WITH_PARENT"
LAST_PATH = "DMS_LAST_PATH"
FAILED = 3
# By the key that its JSON has and no other's; only what a job needs travels to a board.
KINDS = {
    "candidate": "harness.paired:carry_out",
    "cascade": "harness.cascade.recording:carry_out",
    "overlap": "harness.cascade.overlap:carry_out",
    "engines": "harness.survey:carry_out",
}
NO_MEMORY = ("bad_alloc", "allocate memory")


def main(arguments: List[str]) -> int:
    """Returns the process's exit status: 0 with a Run, 3 with an error.json."""
    job_path, out = Path(arguments[0]), Path(arguments[1])
    try:
        carry_out(job_path.read_text(encoding="utf-8"), out, _say)
    except BaseException as error:
        return leave_error(error, out)
    return 0


def carry_out(text: str, out: Path, say: Say, recorded: Recorded = ignore_records) -> None:
    """Do the job in `text`, of whatever kind, and leave its results in `out`; raises what goes wrong."""
    sys.path.extend(filter(None, [os.environ.get(LAST_PATH)]))
    _end_with_parent()
    kind = kind_of(json.loads(text))
    if kind:
        member("kind of job", kind, KINDS)(text, out, say, recorded, _confine)
    else:
        _carry_out_one(Job.from_json(text), out, say, recorded)


def kind_of(wire: Mapping[str, Any]) -> str:
    """Of KINDS; empty for a plain Job."""
    return next((kind for kind in KINDS if kind in wire), "")


def _carry_out_one(job: Job, out: Path, say: Say, recorded: Recorded) -> None:
    _confine(job)
    predictions = measure(job, say, lambda run: run.save(out), recorded)
    if job.labelled_path:
        save_predictions(predictions, out)


def leave_error(error: BaseException, out: Path) -> int:
    """Say in `out` and in the log what went wrong; the exit status of a worker that failed."""
    traceback.print_exception(type(error), error, error.__traceback__)
    (out / "error.json").write_text(json.dumps(_explain(error).to_wire()), encoding="utf-8")
    return FAILED


def _say(phase: str, done: int, total: int) -> None:
    sys.stdout.write(PROGRESS + json.dumps({"phase": phase, "done": done, "total": total}) + "\n")
    sys.stdout.flush()


def _confine(job: Job) -> None:
    one_thread()
    if job.cpu_cores and hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, job.cpu_cores)
        except OSError as error:
            raise ConfigError(
                f"cannot run on cpu_cores {list(job.cpu_cores)} of the device profile: {error.strerror}",
                remedy=f"this device allows {sorted(os.sched_getaffinity(0))}",
            ) from error
    if job.memory_limit_bytes:
        import resource

        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        limit = job.memory_limit_bytes if hard == resource.RLIM_INFINITY else min(job.memory_limit_bytes, hard)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _end_with_parent() -> None:
    """Where the session asks for it: kill -9 of a session leaves no engine running."""
    if END_WITH_PARENT in os.environ:
        end_with_parent()


def _explain(error: BaseException) -> HarnessError:
    if isinstance(error, MemoryError) or any(words in str(error) for words in NO_MEMORY):
        return WorkerError(
            f"out of memory: {str(error) or type(error).__name__}",
            remedy="the model needs more than memory_limit_mib of the device profile allows",
        )
    if isinstance(error, HarnessError):
        return error
    return WorkerError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    # Engines may hang or crash in their own tear-down; the results are on disk by now.
    os._exit(status)
