"""Is this machine the board that a profile describes, and has it what the profile needs? Asked before anything runs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import presence
from harness.errors import ConfigError
from harness.profile import DeviceProfile, read_identities
from harness.profiletables import Identity

ANSWER_S = 3.0
Said = Mapping[str, Sequence[str]]
PARTS = {
    "device_tree_compatible": "device tree", "device_tree_model": "device-tree model", "soc_id": "SoC",
    "cpu_vendor": "processor's vendor", "machine": "architecture",
}  # fmt: skip
# What the worker's interpreter must find for an engine; the others are commands, which a profile's [needs] names.
MODULES = {
    "onnxruntime": "onnxruntime", "openvino": "openvino", "executorch": "executorch", "torch": "torch",
    "tensorrt": "tensorrt", "litert": "ai_edge_litert or tflite_runtime or tensorflow",
}  # fmt: skip


def require_present(profile: DeviceProfile, folder: Path, runtimes: Sequence[str] = (), root: str = "/") -> None:
    """ConfigError with all that this machine lacks for `runtimes` of the profile (empty: all), each with its remedy.

    Looks, loads nothing, and takes seconds at most. A simulated device is always there. `folder`: of the profiles.
    """
    if profile.simulated:
        return
    said = presence.identity(root)
    foreign = list(differences(profile.identity, said))
    missing = absences(profile, runtimes, root)
    if not foreign and not missing:
        return
    what = f"this machine is no {profile.name}" if foreign else f"{profile.name} is not ready"
    remedy = f"run it on the board itself; here --device={_fitting(said, folder)}" if foreign else ""
    raise ConfigError(f"{what}: {'; '.join([*foreign, *missing])}", where=profile.file, remedy=remedy)


def differences(identity: Identity, said: Said) -> Iterator[str]:
    """What `said`, the machine's own words, has otherwise than the profile's [identity]."""
    for part, label in PARTS.items():
        wanted = getattr(identity, part)
        if wanted and not any(_says(part, one, said[part]) for one in wanted):
            yield f"its {label} says {', '.join(said[part]) or 'nothing'}, the profile expects {' or '.join(wanted)}"
    ids = [(bus, one) for bus in ("pci", "usb") for one in getattr(identity, bus)]
    if ids and not any(_plugged(one, said[bus]) for bus, one in ids):
        yield f"it has no accelerator with {' or '.join(f'{bus.upper()} id {one}' for bus, one in ids)}"


def absences(profile: DeviceProfile, runtimes: Sequence[str] = (), root: str = "/") -> list[str]:
    """What is missing of the profile's [needs] and of the engines of `runtimes` (empty: all), each with its remedy."""
    needs = profile.needs
    remedies = {
        "files": needs.files, "libraries": needs.libraries, "commands": needs.commands,
        "modules": _modules(profile, runtimes or tuple(profile.runtimes)),
    }  # fmt: skip
    wanted = {kind: list(names) for kind, names in remedies.items()}
    python = profile.python or sys.executable
    absent, silence = _asked(python, wanted, root)
    found = [line for kind, names in absent.items() for line in _sentences(kind, names, remedies[kind], python)]
    return [*found, silence] if silence else found


def _sentences(kind: str, names: Sequence[str], remedies: Mapping[str, str], python: str) -> Iterator[str]:
    """One for each remedy, with all that it brings."""
    place = {"commands": " on PATH", "modules": f" for {python}"}.get(kind, "")
    for remedy in dict.fromkeys(remedies[name] for name in names):
        same = ", ".join(name for name in names if remedies[name] == remedy)
        yield f"no {same}{'' if same.startswith('/') else place} ({remedy})"


def _modules(profile: DeviceProfile, runtimes: Sequence[str]) -> dict[str, str]:
    """Module -> remedy: numpy, those of the engines of `runtimes` and their plug-ins, and what [needs] names beyond."""
    engines = {MODULES[engine] for engine in map(profile.engine, runtimes) if engine in MODULES}
    plugins = {str(profile.runtimes[one]["plugin"]) for one in runtimes if profile.runtimes[one].get("plugin")}
    named = profile.needs.modules
    wanted = {"numpy", *engines, *plugins, *(named.keys() - set(MODULES.values()))}
    return {name: named.get(name, "pip install it there") for name in sorted(wanted)}


def _asked(python: str, wanted: Mapping[str, list[str]], root: str) -> tuple[dict[str, list[str]], str]:
    """What of `wanted` is absent, and why the interpreter could not be asked for its modules."""
    if python == sys.executable:
        return presence.look(wanted, root)["absent"], ""
    rest = presence.look({**wanted, "modules": []}, root)["absent"]
    answer = _answer(python, {"modules": wanted["modules"]}, root)
    if isinstance(answer, str):
        return rest, answer
    return {**rest, **answer["absent"]}, ""


def _answer(python: str, wanted: Mapping[str, list[str]], root: str) -> dict[str, Any] | str:
    """What the interpreter says, run without this one's packages as the worker is; or why it says nothing."""
    source = Path(presence.__file__).read_text(encoding="utf-8")
    try:
        done = subprocess.run(
            [python, "-", json.dumps(wanted), root], input=source, cwd="/", env=_plain_environment(), timeout=ANSWER_S,
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        answer: dict[str, Any] = json.loads(done.stdout)
    except OSError as error:
        return f"no interpreter {python}: {error.strerror} (install it, or name another one as `python` in the profile)"
    except subprocess.TimeoutExpired:
        return f"the interpreter {python} did not answer within {ANSWER_S:g} s (name another one as `python`)"
    except (subprocess.CalledProcessError, ValueError) as error:
        words = getattr(error, "stderr", "").strip().splitlines() or [str(error)]
        return f"the interpreter {python} failed: {words[-1]} (it must be Python 3.8 or newer)"
    return answer


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _says(part: str, wanted: str, said: Sequence[str]) -> bool:
    if part == "device_tree_compatible":
        return any(wanted in (entry, *re.split("[,+]", entry)) for entry in said)
    return any(wanted in one for one in said) if part == "device_tree_model" else wanted in said


def _plugged(wanted: str, said: Sequence[str]) -> bool:
    return any(one == wanted or one.startswith(f"{wanted}:") for one in said)


def _fitting(said: Said, folder: Path) -> str:
    """The profiles whose [identity] this machine fits, otherwise `host`, which fits any."""
    found = read_identities(folder).items()
    fitting = [name for name, one in found if one != Identity() and not any(differences(one, said))]
    return " or ".join(fitting) or "host"
