"""What is asked of a board beside its worker: its text travels on standard input, and a call of `answer` with it.

Nothing is installed there: standard library, Python 3.8 or newer. Paths are those of one folder, and their parts are
checked here too: whatever asks, nothing outside of it is written or removed.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
import tempfile
import time
from typing import Any, Callable, Dict, Iterator, Optional, Sequence

PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
WORKER = [b"-m", b"harness.boardworker"]
STORE, CODE, RUNS = "store", "code", "runs"
BASE = "/@dms-base@"
OLD_S = 2 * 86400.0
LOG_BYTES, LAST_BYTES = 4_000_000, 65536
CUT = b"\n... the middle is cut out ...\n"


def answer(asked: Dict[str, Any]) -> None:
    """Do what is asked and write what came of it: JSON on the last line, or a tar archive of files."""
    done = DOING[asked["what"]](asked)
    if done is not None:
        sys.stdout.write("\n" + json.dumps(done) + "\n")


def greet(asked: Dict[str, Any]) -> Dict[str, Any]:
    """The folder that is ours, and which start of the board this is; runs that nobody fetched are removed."""
    base = _own(asked["base"])
    for name in (STORE, CODE, RUNS):
        os.makedirs(os.path.join(base, name), 0o700, exist_ok=True)
    runs = os.path.join(base, RUNS)
    for name in os.listdir(runs):
        path = os.path.join(runs, name)
        # The date may have been set meanwhile.
        if _is_old(path) and not any(_works_in(pid, [path]) for pid in _processes()):
            shutil.rmtree(path, ignore_errors=True)
    return {"base": base, "boot_id": _boot_id(), "python": list(sys.version_info[:2])}


def begin(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Greet, lay out a run, and start it where nothing is missing: of `files` (path -> size), `code` and `room_bytes`.

    texts: files of the run; launch: the command that starts it; BASE in both becomes our folder. ended: runs of ours
    that nobody waits for any more.
    """
    found = greet(asked)
    base, run = found["base"], asked["run"]
    end({"base": base, "ended": asked["ended"]})
    missing = [name for name, size in asked["files"].items() if _size(_below(base, name)) != size]
    folder = _below(base, RUNS + "/" + run)
    os.makedirs(folder, 0o700)
    for name, text in asked["texts"].items():
        with open(os.path.join(folder, _part(name)), "w", encoding="utf-8") as file:
            file.write(text.replace(BASE, base))
    code, free = os.path.isdir(_below(base, asked["code"])), shutil.disk_usage(base).free
    started = code and not missing and free >= asked["room_bytes"]
    if started:
        _launch([word.replace(BASE, base) for word in asked["launch"]])
    return {**found, "missing": missing, "code": code, "free_bytes": free, "started": started}


def unpack(asked: Dict[str, Any]) -> Dict[str, Any]:
    """The archive of the code, which unpacks itself below its hash: whole, or not at all."""
    content = base64.b64decode(asked["zip"])
    target = _below(asked["base"], asked["code"])
    if hashlib.sha256(content).hexdigest() != os.path.basename(target):
        raise ValueError("the archive of the code is not what its name says")
    # Beside its target: not every board has a folder for what is passing.
    with tempfile.NamedTemporaryFile(prefix=".", suffix=".zip", dir=os.path.dirname(target)) as file:
        file.write(content)
        file.flush()
        subprocess.run([sys.executable, file.name, target], check=True)
    return {"code": os.path.isdir(target)}


def collect(asked: Dict[str, Any]) -> None:
    """A tar archive of the named files of a run, those that are there; of a long log its beginning and its end."""
    folder = _below(asked["base"], RUNS + "/" + asked["run"])
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for name in asked["names"]:
            content = _content(os.path.join(folder, _part(name)))
            if content is not None:
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    sys.stdout.flush()


def end(asked: Dict[str, Any]) -> Dict[str, Any]:
    """End the workers of these runs, each with its group, and remove their folders unless they are to be kept."""
    folders = [_below(asked["base"], RUNS + "/" + run) for run in asked["ended"]]
    killed = [pid for pid in _processes() if folders and _works_in(pid, folders) and _kill(pid)]
    for folder in folders if not asked.get("keep") else ():
        shutil.rmtree(folder, ignore_errors=True)
    return {"killed": killed}


def lock(asked: Dict[str, Any]) -> Dict[str, Any]:
    """What the lock says, and whether somebody measures right now; `free` voids a lease that nobody uses."""
    try:
        file = os.open(asked["lock"], os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return {"held": False, "lease": ""}
    try:
        held = _is_held(file)
        said = os.pread(file, 4096, 0).decode("utf-8", "replace")
        if asked.get("free") and not held:
            os.ftruncate(file, 0)
        return {"held": held, "lease": said, "boot_id": _boot_id(), "now_s": time.clock_gettime(_BOOTTIME)}
    finally:
        os.close(file)


def prune(asked: Dict[str, Any]) -> Dict[str, Any]:
    """Remove all files, code and runs, unless somebody measures; how many bytes are free then."""
    if not lock(asked)["held"]:
        for name in (STORE, CODE, RUNS):
            shutil.rmtree(os.path.join(asked["base"], name), ignore_errors=True)
    return {**lock(asked), "free_bytes": shutil.disk_usage(asked["base"]).free}


DOING: Dict[str, Callable[[Dict[str, Any]], Optional[Dict[str, Any]]]] = {
    "greet": greet, "begin": begin, "unpack": unpack, "collect": collect, "end": end, "lock": lock, "prune": prune,
}  # fmt: skip
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def _launch(command: Sequence[str]) -> None:
    """It returns when what it starts has a session of its own, which the end of this call leaves alone."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        words = done.stdout.decode("utf-8", "replace").split("\n")
        raise OSError("the worker cannot be started: " + next(filter(None, reversed(words)), ""))


def _own(base: str) -> str:
    """`base`, or beside it one of this user alone: what another user made is never used."""
    for path in (base, f"{base}-{os.getuid()}"):
        try:
            os.makedirs(path, 0o700, exist_ok=True)
            found = os.lstat(path)
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid():
            os.chmod(path, 0o700)
            return path
    raise PermissionError(f"{base} can neither be made nor belongs to this user")


def _below(base: str, name: str) -> str:
    return os.path.join(base, *(_part(one) for one in name.split("/")))


def _part(name: str) -> str:
    if not PART.fullmatch(name):
        raise ValueError(f"{name!r} is no plain name")
    return name


def _is_old(path: str) -> bool:
    try:
        return time.time() - os.lstat(path).st_mtime > OLD_S
    except OSError:  # another session of ours has just removed it
        return False


def _size(path: str) -> int:
    try:
        found = os.lstat(path)
    except OSError:
        return -1
    return found.st_size if stat.S_ISREG(found.st_mode) else -1


def _content(path: str) -> Optional[bytes]:
    size = _size(path)
    if size < 0:
        return None
    with open(path, "rb") as file:
        if size <= LOG_BYTES or not path.endswith(".log"):
            return file.read()
        first = file.read(LOG_BYTES)
        file.seek(size - LAST_BYTES)
        return first + CUT + file.read()


def _processes() -> Iterator[int]:
    return (int(one) for one in os.listdir("/proc") if one.isdigit())


def _works_in(pid: int, folders: Sequence[str]) -> bool:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read().split(b"\0")
    except OSError:
        return False
    # The worker alone: the shell that waits for it says how it ended, and sweeps up after it.
    return words[1:3] == WORKER and words[3].decode("utf-8", "replace") in folders


def _kill(pid: int) -> bool:
    try:
        os.killpg(os.getpgid(pid), signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _is_held(file: int) -> bool:
    """By somebody else; otherwise by us, until it is closed."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
