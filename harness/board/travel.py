"""The code that a job needs on its board, as one small zip: no file is installed there, and none is missing.

`linking` finds what the job reaches, `slimming` leaves out what only a reader needs. Names and texts of all modules are
one stream, compressed as a whole, since they resemble each other far more than each does itself.

    python3 ARCHIVE.zip FOLDER

makes FOLDER, whole and compiled for that Python, or nothing; where it is there already, nothing is done. A job then
runs as `python3 -m harness.boardworker RUN_FOLDER` with PYTHONPATH = FOLDER. The same sources give the same bytes.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import re
import zipfile
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from harness.board.archives import kept
from harness.board.linking import link
from harness.board.slimming import slim, without_methods
from harness.runtimes import FORMATS

PACKAGE = Path(__file__).resolve().parent.parent
WORKER = "harness.boardworker"
# Set by boards that are reached over slow links, and held by a test for every engine.
LARGEST_BYTES = 60 * 1024
STREAM = "code.bz2"
# Of a task; its predictions go to the host, which has the truths.
TASKS, ON_THE_HOST = "harness.tasks", ("score", "changed", "reweighed")
EPOCH = (1980, 1, 1, 0, 0, 0)
# Engines, kinds of probes, task, further modules, kind of job.
Parts = tuple[tuple[str, ...], tuple[str, ...], str | None, tuple[str, ...], str]
DOTTED = re.compile(rf"{PACKAGE.name}(?:\.\w+)+")
UNPACKER = """\
import bz2,compileall,os,py_compile,shutil,sys,tempfile,zipfile
folder=os.path.abspath(sys.argv[1])
if os.path.isdir(folder):sys.exit()
os.makedirs(os.path.dirname(folder),0o700,exist_ok=True)
part=tempfile.mkdtemp(prefix=".part-",dir=os.path.dirname(folder))
try:
 with zipfile.ZipFile(sys.argv[0]) as own:found=bz2.decompress(own.read("code.bz2")).decode().split("\\0")
 for name,text in zip(found[::2],found[1::2]):
  path=os.path.join(part,name)
  os.makedirs(os.path.dirname(path),exist_ok=True)
  with open(path,"w",encoding="utf-8") as file:
   file.write(text)
   file.flush()
   os.fsync(file.fileno())
 compileall.compile_dir(part,ddir=folder,quiet=1,invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
 os.sync()
 try:os.rename(part,folder)
 except OSError:
  if not os.path.isdir(folder):raise
finally:shutil.rmtree(part,ignore_errors=True)
"""


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A zip that unpacks itself; sha256: of `content`, in hexadecimal."""

    sha256: str
    content: bytes


def code_archive(
    engine: str, probes: Iterable[str] = (), task: str | None = None, *, beside: Iterable[str] = (),
    extra: Iterable[str] = (), kind: str = "", folder: Path | None = None,
) -> Archive:  # fmt: skip
    """The code of the worker with one engine, these kinds of probes and one task, all by the names of their tables.

    beside: further engines, of a pair or a survey. extra: further modules that a process there starts, as `modules_in`
    finds them. kind: of harness.agent.KINDS, empty for a plain Job. Names that are not known are left out: the worker
    says what is wrong with them. folder: where archives are kept that were made before.
    """
    parts = (tuple(sorted({engine, *beside})), tuple(sorted(set(probes))), task, tuple(sorted(set(extra))), kind)
    return _archive(parts, folder)


def modules_in(options: Mapping[str, Any]) -> tuple[str, ...]:
    """The harness's own modules that options of an engine name, as in command = "{python} -m harness.runners.x"."""
    return tuple(sorted({name for name in DOTTED.findall(str(dict(options))) if _path(name)}))


@lru_cache(maxsize=64)
def _archive(parts: Parts, folder: Path | None) -> Archive:
    """Once per process: a session's sources do not change under it."""
    content = _packed(parts) if folder is None else kept(folder, repr(parts), PACKAGE, lambda: _packed(parts))
    return Archive(sha256=hashlib.sha256(content).hexdigest(), content=content)


def _packed(parts: Parts) -> bytes:
    engines, probes, task, extra, kind = parts
    texts = modules((WORKER, *extra), {**wanted(engines, probes, task), "harness.agent:KINDS": [kind] if kind else []})
    stream = "\0".join(part for name, text in sorted(texts.items()) for part in (name, text))
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(zipfile.ZipInfo("__main__.py", EPOCH), UNPACKER, zipfile.ZIP_DEFLATED)
        file.writestr(zipfile.ZipInfo(STREAM, EPOCH), bz2.compress(stream.encode()))
    return content.getvalue()


def wanted(engines: Collection[str], probes: Collection[str], task: str | None) -> Mapping[str, Collection[str]]:
    """What a job looks up in the tables of the ribs."""
    return {
        "harness.runtimes:RUNTIMES": engines,
        "harness.probes:PROBES": probes,
        "harness.tasks:TASKS": [task] if task else [],
        "harness.modelfile.inspection:READERS": {one for engine in engines for one in FORMATS.get(engine, ())},
    }


def modules(first: Iterable[str], members: Mapping[str, Collection[str]]) -> dict[str, str]:
    """Path below the archive's folder -> text, of all that `first` reach."""
    found = link(first, _source, members)
    return {_path(name): slim(module) for name, module in found.items()}


def _source(module: str) -> str | None:
    path = _path(module)
    if not path:
        return None
    source = (PACKAGE.parent / path).read_text(encoding="utf-8")
    return without_methods(source, ON_THE_HOST) if module.startswith(TASKS) else source


@cache
def _path(module: str) -> str:
    """Where a module of the harness lies below its package's folder; empty for any other name."""
    if module != PACKAGE.name and not DOTTED.fullmatch(module):
        return ""
    path = module.replace(".", "/")
    return next((one for one in (f"{path}/__init__.py", f"{path}.py") if (PACKAGE.parent / one).is_file()), "")
