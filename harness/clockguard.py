"""Pins the clocks of this device as long as its standard input stays open, then puts back what was before.

A process of its own, since nothing in the measuring one outlives its kill -9: the kernel closes the pipe, and the
guard sees the end. STATE_FILE holds what was before from ahead of the first change until all of it is back, so the next
guard, or --restore, ends what a killed guard left. Facts: kernel Documentation/admin-guide/pm/cpufreq.rst;
--store and --restore: NVIDIA's script jetson_clocks of L4T 35. Never run on the device.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, Iterator, List, Sequence, Tuple

from harness.errors import HarnessError, printable
from harness.probes import ProbeError
from harness.probes.clocks import CPU, gpu_folders, online_cores, run_tool
from harness.probes.sysfs import reason, text_of

PINNED, REFUSED, RESTORED = "@dms pinned", "@dms refused", "@dms restored"
SETTLE_S, LOCK_S, TOOL_S = 1.0, 5.0, 30.0
REMEDY = "run as root (sudo), or set the clocks beforehand and leave the pinning out"
NO_CLOCK = "this machine has no clock that can be set"
LEAVE = "leave the pinning out, as on most virtual machines"
PACKAGE = Path(__file__).resolve().parent
Knobs = List[Tuple[Path, str]]


@contextlib.contextmanager
def pinned_clocks(
    state_file: Path, *, root: str = "/", python: str = sys.executable, jetson_clocks: str = "jetson_clocks"
) -> Iterator[str]:
    """Hold the clocks pinned in here; gives what pinned them: "jetson_clocks" or "sysfs".

    Use the same state file for every session on a device: it is how one finds what the last one left.
    HarnessError where the clocks cannot be pinned, or were not put back.
    """
    command = [python, "-m", "harness.clockguard", str(state_file.resolve()), "--root", str(Path(root).resolve())]
    path = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH", ""))))
    guard = subprocess.Popen(
        [*command, "--jetson-clocks", jetson_clocks], env={**os.environ, "PYTHONPATH": path}, cwd="/",
        # Its own session: Ctrl-C in the terminal must not reach it before the session that it guards has ended.
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", start_new_session=True,
    )  # fmt: skip
    last = ""
    try:
        assert guard.stdout is not None
        said = guard.stdout.readline()
        if not said.startswith(PINNED):
            why = _told(said) or "it said nothing"
            raise ProbeError(f"the clocks cannot be pinned: {why}", remedy=LEAVE if NO_CLOCK in why else REMEDY)
        yield _told(said)
    finally:
        last, _ = guard.communicate()
    if guard.returncode:
        raise ProbeError(
            f"the clocks were not put back: {_told(last) or f'the guard ended with {guard.returncode}'}",
            where=str(state_file), remedy=f"as root: {' '.join(command)} --restore",
        )  # fmt: skip


def main(arguments: Sequence[str]) -> int:
    """The guard; 0 when the clocks are as they were before."""
    parser = argparse.ArgumentParser(prog="python -m harness.clockguard", description=__doc__)
    parser.add_argument("state_file", type=Path)
    parser.add_argument("--root", default="/")
    parser.add_argument("--jetson-clocks", default="jetson_clocks", help="the tool to use if there is one; '': none")
    parser.add_argument("--restore", action="store_true", help="only put back what a killed guard left")
    asked = parser.parse_args(arguments)
    guard = _Guard(asked.state_file.resolve(), asked.root, asked.jetson_clocks)
    try:
        with _end_signals() as ended, _alone(asked.root):
            guard.restore()
            if not asked.restore:
                guard.hold(ended)
    except (HarnessError, OSError) as error:
        _say(f"{REFUSED} {error}")
        return 1
    _say(RESTORED)
    return 0


class _Guard:
    """What is to be set, what was before, and where that is kept."""

    def __init__(self, state_file: Path, root: str, jetson_clocks: str) -> None:
        self._state, self._stored = state_file, state_file.with_name(state_file.name + ".jetson_clocks")
        self._knobs = _knobs(root)
        self._tool = (shutil.which(jetson_clocks) if jetson_clocks else None) or ""

    def hold(self, ended: int) -> None:
        """Pin the clocks, until standard input or this process is asked to end."""
        if not self._knobs:
            raise ProbeError(NO_CLOCK)
        before = {str(path): text_of(path) or "" for path, _ in self._knobs}
        self._store()
        _save(self._state, {"jetson_clocks": bool(self._tool), "before": before})
        try:
            self._pin()
            _say(f"{PINNED} {'jetson_clocks' if self._tool else 'sysfs'}")
            _wait(ended)
        finally:
            self.restore()

    def restore(self) -> None:
        """Put back what the state file tells, if there is one; it stays where that fails."""
        if not self._state.exists():
            return
        used_tool, before = self._read_state()
        problems = []
        if used_tool:
            fine, said = run_tool([self._tool or "jetson_clocks", "--restore", str(self._stored)], TOOL_S)
            problems += [] if fine else [f"jetson_clocks --restore: {said}"]
        # The limits first: a governor that is put back obeys them at once.
        for path, value in reversed(before):
            try:
                _set(path, value)
            except ProbeError as error:
                problems.append(error.what)
        if problems:
            raise ProbeError("; ".join(problems), where=str(self._state), remedy="try again as root")
        with contextlib.suppress(FileNotFoundError):
            self._stored.unlink()
        self._state.unlink()

    def _store(self) -> None:
        if not self._tool:
            return
        # The tool asks on its standard input whether to overwrite a file.
        with contextlib.suppress(FileNotFoundError):
            self._stored.unlink()
        fine, said = run_tool([self._tool, "--store", str(self._stored)], TOOL_S)
        if not fine or not self._stored.exists():
            raise ProbeError(f"jetson_clocks --store: {said}", where=str(self._stored))

    def _pin(self) -> None:
        if self._tool:
            fine, said = run_tool([self._tool], TOOL_S)
            if not fine:
                raise ProbeError(f"jetson_clocks: {said}")
        # After the tool too: it ends well even where the kernel refused a limit.
        for path, value in self._knobs:
            _set(path, value)

    def _read_state(self) -> Tuple[bool, Knobs]:
        known = {str(path): path for path, _ in self._knobs}
        try:
            state = json.loads(self._state.read_text(encoding="utf-8"))
            before = {name: str(value) for name, value in dict(state["before"]).items()}
            used_tool = bool(state["jetson_clocks"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _damaged(self._state, f"{type(error).__name__}: {error}") from error
        for name in before:
            # Root must not write wherever a file says.
            if name not in known:
                raise _damaged(self._state, f"{name} is no clock of this machine now")
        return used_tool, [(known[name], value) for name, value in before.items()]


def _knobs(root: str) -> Knobs:
    """The files to write, in this order, and what pins them.

    Lower limits and governors alone: an upper limit may show what cooling allows at the moment, and writing that
    back would keep it for good.
    """
    folders = [Path(root).resolve() / CPU / f"cpu{number}" / "cpufreq" for number in online_cores(root)]
    found: Dict[Path, str] = {}
    # Cores of one cluster have links to the same folder.
    for folder in (one.resolve() for one in folders):
        if "performance" in (text_of(folder / "scaling_available_governors") or "").split():
            found[folder / "scaling_governor"] = "performance"
        found[folder / "scaling_min_freq"] = text_of(folder / "scaling_max_freq") or ""
    for folder in (one.resolve() for one in gpu_folders(root)):
        found[folder / "min_freq"] = text_of(folder / "max_freq") or ""
    return [(path, value) for path, value in found.items() if value and text_of(path)]


def _set(path: Path, value: str) -> None:
    if text_of(path) == value:
        return
    try:
        descriptor = os.open(str(path), os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
        try:
            os.write(descriptor, f"{value}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        needs_root = " (needs root)" if error.errno in (errno.EACCES, errno.EPERM) else ""
        raise ProbeError(f"{reason(error, path)}{needs_root}") from error
    # The kernel takes up a new limit in a work queue of its own, after the write has returned.
    until = time.monotonic() + SETTLE_S
    while text_of(path) != value:
        if time.monotonic() > until:
            raise ProbeError(f"{path} stays at {text_of(path)} instead of {value}")
        time.sleep(0.01)


def _save(path: Path, state: Dict[str, object]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(str(temporary), str(path))
    except OSError as error:
        raise ProbeError(reason(error, path), remedy="name a state file in a folder that can be written") from error


def _damaged(path: Path, why: str) -> ProbeError:
    remedy = "start the device anew, which sets the clocks back, and delete the file"
    return ProbeError(f"the clocks of before are not known: {why}", where=str(path), remedy=remedy)


@contextlib.contextmanager
def _alone(root: str) -> Iterator[None]:
    """One guard for each machine: a second one would take pinned clocks for those of before."""
    folder = Path(root) / CPU
    try:
        descriptor = os.open(str(folder), os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ProbeError(reason(error, folder)) from error
    try:
        until = time.monotonic() + LOCK_S
        while not _locked(descriptor):
            if time.monotonic() > until:
                raise ProbeError("another guard holds the clocks of this machine", remedy="let its session end")
            time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def _end_signals() -> Iterator[int]:
    """A descriptor that can be read once somebody asked this process to end; nothing else is interrupted by that."""
    ended, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *ignored: None)
    yield ended


def _wait(ended: int) -> None:
    while True:
        ready, _, _ = select.select([0, ended], [], [])
        if ended in ready or not os.read(0, 4096):
            return


def _say(line: str) -> None:
    # Nobody may be left to hear it, which must not keep the clocks from being put back.
    with contextlib.suppress(OSError):
        os.write(1, f"{printable(line)}\n".encode())


def _told(line: str) -> str:
    """The words of a line behind its keyword."""
    return " ".join(line.split()[2:])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
