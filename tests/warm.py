"""`python -m MODULE` in a process of its own, forked from one that has imported what sessions import."""

from __future__ import annotations

import gc
import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

Runner = Callable[..., "subprocess.CompletedProcess[str]"]
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([
    "pytest", "pytest_benchmark.plugin", "scipy.stats", "sqlalchemy.orm", "sqlite3", "jinja2", "harness.plugin",
    "harness.accept", "harness.session", "harness.remember", "harness.report.terminal", "harness.report.junit",
    "harness.report.markdown", "harness.trendreport.write",
])  # fmt: skip


def run_cold(
    command: Sequence[str], *, cwd: Path, env: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """`python -m COMMAND` as a person starts it."""
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=cwd, env=env, timeout=timeout, text=True, capture_output=True, check=False
    )


def run_warm(
    command: Sequence[str], *, cwd: Path, env: dict[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """What subprocess.run gives for `python -m COMMAND`, without the second that imports take."""
    with TemporaryDirectory() as said:
        out, err = Path(said, "out"), Path(said, "err")
        child = _FORKS.Process(target=_become, args=(command, str(cwd), env, str(out), str(err)))
        child.start()
        child.join(timeout)
        if child.exitcode is None:
            child.kill()
            child.join()
            raise subprocess.TimeoutExpired(command, timeout, out.read_text(), err.read_text())
        status = child.exitcode
        child.close()
        return subprocess.CompletedProcess(command, status, out.read_text(), err.read_text())


def _become(command: Sequence[str], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    gc.freeze()  # what was imported needs no walk over it
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.path[:0] = [cwd, *env["PYTHONPATH"].split(os.pathsep)]
    sys.argv = list(command)
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)
