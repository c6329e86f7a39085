"""Is the machine the board that a profile describes, and has it what the profile needs? Asked before anything runs.

This machine, or the board that is reached over a wire: the same text looks at both.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from harness import presence
from harness.board.asking import Link, understood
from harness.board.attempts import attempt
from harness.errors import ConfigError
from harness.processes import end_group, ends_within
from harness.profile import DeviceProfile, read_identities
from harness.profiletables import Identity

if TYPE_CHECKING:
    from harness.prepare import Setup

ANSWER_S = 3.0
KEPT_BYTES = 2**20
LEAST_MEMORY, MOST_MEMORY = 0.75, 1.1
Said = Mapping[str, Sequence[str]]
PRESENCE = Path(presence.__file__).read_text(encoding="utf-8")
PARTS = {
    "device_tree_compatible": "device tree", "device_tree_model": "device-tree model", "soc_id": "SoC",
    "cpu_vendor": "processor's vendor", "machine": "architecture",
}  # fmt: skip
# What the worker's interpreter must find for an engine; the others are commands, which a profile's [needs] names.
MODULES = {
    "onnxruntime": "onnxruntime", "openvino": "openvino", "executorch": "executorch", "torch": "torch",
    "tensorrt": "tensorrt", "litert": "ai_edge_litert or tflite_runtime or tensorflow",
}  # fmt: skip
# What brings such a module into the harness's own interpreter.
EXTRAS = {
    "onnxruntime": "host", "openvino": "host", MODULES["litert"]: "host", "executorch": "executorch", "torch": "torch",
    "onnxruntime_qnn": "qnn",
}  # fmt: skip


def require_present(profile: DeviceProfile, folder: Path, runtimes: Sequence[str] = (), root: str = "/") -> None:
    """ConfigError with all that the machine lacks for `runtimes` of the profile (empty: all), each with its remedy.

    Looks, loads nothing, and takes seconds at most. A simulated device is any machine. `folder`: of the profiles.
    InfraError where a board cannot be asked.
    """
    missing, said = found_on(profile, runtimes, root)
    _require_board(profile, folder, said, missing)
    if missing:
        raise ConfigError(f"{profile.name} is not ready: {'; '.join(missing)}", where=profile.file)


def require_board(profile: DeviceProfile, folder: Path, root: str = "/") -> None:
    """ConfigError where the machine is another board, whatever is there."""
    said = _there(profile, {})["identity"] if profile.remote else presence.identity(root)
    _require_board(profile, folder, said, ())


def _require_board(profile: DeviceProfile, folder: Path, said: Said, missing: Sequence[str]) -> None:
    foreign = [] if profile.simulated else list(differences(profile.identity, said))
    if foreign and profile.remote:
        raise ConfigError(
            f"the board at {profile.address or profile.transport} is no {profile.name}: "
            f"{'; '.join([*foreign, *missing])}", where=profile.file,
            remedy=f"check its address; it fits {_fitting(said, folder)}",
        )  # fmt: skip
    if foreign:
        raise ConfigError(
            f"this machine is no {profile.name}: {'; '.join([*foreign, *missing])}", where=profile.file,
            remedy=f"run it on the board itself; here --device={_fitting(said, folder)}",
        )  # fmt: skip


def runtimes_in_use(setup: Setup) -> list[str]:
    """The runtimes of the profile that take a file of one of the cards: what the others lack does not matter."""
    from harness.prepare import file_format

    variants = [(card, variant) for card in setup.cards for variant in card.variants]
    return [one for one in setup.profile.runtimes if any(file_format(setup.profile, *pair, one) for pair in variants)]


def differences(identity: Identity, said: Said) -> Iterator[str]:
    """What `said`, the machine's own words, has otherwise than the profile's [identity]."""
    for part, label in PARTS.items():
        wanted = getattr(identity, part)
        if wanted and not any(_says(part, one, said[part]) for one in wanted):
            yield f"its {label} says {', '.join(said[part]) or 'nothing'}, the profile expects {' or '.join(wanted)}"
    ids = [(bus, one) for bus in ("pci", "usb") for one in getattr(identity, bus)]
    if ids and not any(_plugged(one, said[bus]) for bus, one in ids):
        yield f"it has no accelerator with {' or '.join(f'{bus.upper()} id {one}' for bus, one in ids)}"
    words = [word for entry in said["device_tree_compatible"] for word in re.split("[,+]", entry)]
    others = [word for word in words if word.startswith(identity.not_compatible)]
    if others:
        yield f"its device tree says {', '.join(dict.fromkeys(others))}, which is another board"
    if identity.memory_mib and not any(_holds(identity.memory_mib, one) for one in said["memory_mib"]):
        told = " ".join([*said["memory_mib"], "MiB"]) if said["memory_mib"] else "nothing"
        yield f"its memory says {told}, the profile expects {identity.memory_mib:g} MiB less what firmware keeps"


def absences(profile: DeviceProfile, runtimes: Sequence[str] = (), root: str = "/") -> list[str]:
    """What is missing of the profile's [needs] and of the engines of `runtimes` (empty: all), each with its remedy."""
    return found_on(profile, runtimes, root)[0]


def found_on(profile: DeviceProfile, runtimes: Sequence[str] = (), root: str = "/") -> tuple[list[str], Said]:
    """The same, and the machine's own words; a board is asked once for both."""
    runtimes = runtimes or tuple(profile.runtimes)
    remedies = {kind: _needed(profile, runtimes, kind) for kind in ("files", "libraries", "commands")}
    remedies["modules"] = _modules(profile, runtimes)
    wanted = {kind: list(names) for kind, names in remedies.items()}
    python = profile.board_python if profile.remote else profile.python or sys.executable
    if profile.remote:
        answer = _there(profile, wanted)
        absent, silence, said = answer["absent"], "", answer["identity"]
    else:
        absent, silence = _asked(python, wanted, root)
        said = presence.identity(root)
    found = [line for kind, names in absent.items() for line in _sentences(kind, names, remedies[kind], python)]
    return [*found, silence] if silence else found, said


def _there(profile: DeviceProfile, wanted: Mapping[str, list[str]]) -> dict[str, Any]:
    """What the board itself says, by its own interpreter; InfraError or ConfigError where it cannot be asked."""

    def asked(link: Link) -> dict[str, Any]:
        with understood(profile.name):
            return _plain(link.told(PRESENCE, [json.dumps(wanted), "/"]), wanted)

    return attempt(profile, asked, lambda sentence: None)


def _plain(answer: Mapping[str, Any], wanted: Mapping[str, list[str]]) -> dict[str, Any]:
    """No other names than were asked for, and texts alone; raises what wrong types raise."""
    absent = {kind: [name for name in names if name in answer["absent"][kind]] for kind, names in wanted.items()}
    said = {name: [str(one) for one in answer["identity"][name]] for name in (*PARTS, "pci", "usb", "memory_mib")}
    said["memory_mib"] = [str(int(one)) for one in said["memory_mib"]]
    return {"absent": absent, "identity": said}


def _sentences(kind: str, names: Sequence[str], remedies: Mapping[str, str], python: str) -> Iterator[str]:
    """One for each remedy, with all that it brings."""
    place = {"commands": " on PATH", "modules": f" for {python}"}.get(kind, "")
    for remedy in dict.fromkeys(remedies[name] for name in names):
        same = ", ".join(name for name in names if remedies[name] == remedy)
        yield f"no {same}{'' if same.startswith('/') else place} ({remedy})"


def _needed(profile: DeviceProfile, runtimes: Sequence[str], kind: str) -> dict[str, str]:
    """Name -> remedy: what every runtime needs, and what `runtimes` need besides."""
    own = [table for entry, table in profile.needs.runtimes.items() if entry in runtimes]
    return {name: remedy for table in (profile.needs, *own) for name, remedy in getattr(table, kind).items()}


def _modules(profile: DeviceProfile, runtimes: Sequence[str]) -> dict[str, str]:
    """Module -> remedy: numpy, those of the engines of `runtimes` and their plug-ins, and what [needs] names beyond."""
    engines = {MODULES[engine] for engine in map(profile.engine, runtimes) if engine in MODULES}
    plugins = {str(profile.runtimes[one]["plugin"]) for one in runtimes if profile.runtimes[one].get("plugin")}
    named = _needed(profile, runtimes, "modules")
    wanted = {"numpy", *engines, *plugins, *(named.keys() - set(MODULES.values()))}
    own = not profile.remote and profile.python in ("", sys.executable)
    return {name: named.get(name) or _install(name, own) for name in sorted(wanted)}


def _install(module: str, own: bool) -> str:
    return f"pip install 'dms-harness[{EXTRAS[module]}]'" if own and module in EXTRAS else "pip install it there"


def _asked(python: str, wanted: Mapping[str, list[str]], root: str) -> tuple[dict[str, list[str]], str]:
    """What of `wanted` is absent, and why the interpreter could not be asked for its modules."""
    if python == sys.executable:
        return presence.look(wanted, root)["absent"], ""
    rest = presence.look({**wanted, "modules": []}, root)["absent"]
    answer = _answer(python, {"modules": wanted["modules"]}, root)
    if isinstance(answer, str):
        return rest, answer
    return {**rest, **answer}, ""


def _answer(python: str, wanted: Mapping[str, list[str]], root: str) -> dict[str, list[str]] | str:
    """What the interpreter lacks, run without this one's packages as the worker is; or why it says nothing."""
    try:
        words = _spoken([python, "-", json.dumps(wanted), root], PRESENCE)
        # The last line: a site's own start-up file may greet first.
        answer = json.loads((words.splitlines() or [""])[-1])
        return {"modules": [str(name) for name in answer["absent"]["modules"]]}
    except OSError as error:
        return f"no interpreter {python}: {error.strerror} (install it, or name another one as `python` in the profile)"
    except subprocess.TimeoutExpired:
        return f"the interpreter {python} did not answer within {ANSWER_S:g} s (name another one as `python`)"
    except subprocess.CalledProcessError as error:
        last = (error.stderr.strip().splitlines() or [str(error)])[-1]
        return f"the interpreter {python} failed: {last} (it must be Python 3.8 or newer)"
    except (ValueError, KeyError, TypeError) as error:
        return f"the interpreter {python} gave no answer: {error} (it must be Python 3.8 or newer)"


def _spoken(command: Sequence[str], source: str) -> str:
    """Standard output of `command` with `source` as its input; raises as subprocess.run does, with check.

    Files and not pipes: what it started, killed with it at the deadline, cannot hold them open.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        given.write(source.encode("utf-8"))
        given.seek(0)
        process = subprocess.Popen(
            command, cwd="/", env=_plain_environment(), stdin=given, stdout=out, stderr=err, start_new_session=True
        )
        try:
            in_time = ends_within(process.pid, ANSWER_S)
        finally:
            status = end_group(process)
        if not in_time:
            raise subprocess.TimeoutExpired(command, ANSWER_S)
        said, complaint = (_tail(file) for file in (out, err))
    if status:
        raise subprocess.CalledProcessError(status, command, said, complaint)
    return said


def _tail(file: IO[bytes]) -> str:
    file.seek(max(0, file.seek(0, os.SEEK_END) - KEPT_BYTES))
    return file.read().decode("utf-8", "replace")


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _says(part: str, wanted: str, said: Sequence[str]) -> bool:
    if part == "device_tree_compatible":
        return any(wanted in (entry, *re.split("[,+]", entry)) for entry in said)
    return any(wanted in one for one in said) if part == "device_tree_model" else wanted in said


def _holds(memory_mib: float, said: str) -> bool:
    return LEAST_MEMORY * memory_mib <= int(said) <= MOST_MEMORY * memory_mib


def _plugged(wanted: str, said: Sequence[str]) -> bool:
    return any(one == wanted or one.startswith(f"{wanted}:") for one in said)


def _fitting(said: Said, folder: Path) -> str:
    """The profiles whose [identity] this machine fits, otherwise `host`, which fits any."""
    found = read_identities(folder).items()
    fitting = [name for name, one in found if one != Identity() and not any(differences(one, said))]
    return " or ".join(fitting) or "host"
