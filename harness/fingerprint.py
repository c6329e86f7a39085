"""Identity: what must be equal for two sessions to be compared. Provenance: what may differ, and takes the blame.

Volatile readings (clock rates at the moment, times) are in the raw results and never compared; what must
stay within a band is in harness/context.py.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import __version__
from harness.case import Job, Run
from harness.profile import DeviceProfile
from harness.telemetry import Telemetry

# Raised whenever the way of measuring changes in a manner that moves numbers.
PROTOCOL = 2
MACHINE_FACTS = ("machine", "cpu", "board", "cores", "os", "unit")
TOOL_FACTS = ("python", "numpy", "resizer")
# Not the providers: which were asked for stands in the engine's options, and which took the nodes is what is compared.
ENGINE_FACTS = ("engine", "version", "precision", "threads", "session_config")
# What was asked of the engine; where a model ran is compared as soon as this is the same.
ASKED = ("device", "engine", "engine_options", "input", "task")
# In older sessions: the same worker runs on the device, however its results come here.
NO_LONGER_ASKED = ("transport",)
GIT_S = 30
SUBJECT_CHARACTERS = 120
PLAN_FIELDS = ("name", "frames", "runs", "warmup_window", "warmup_cap_frames", "distinct_frames", "minimum_s")


def identity_of(job: Job, profile: DeviceProfile, run: Run) -> dict[str, Any]:
    """Flat scalars that must be equal for two sessions to be compared.

    The model's own hash is not among them: a new build of the model is what a comparison is about. What a
    simulated device runs on is not either: its clock is its own.
    """
    found: dict[str, Any] = {
        "device": profile.name,
        "soc": profile.soc,
        "engine_options": _digest(job.options),
        "cpu_cores": _words(profile.cpu_cores) if profile.cpu_cores else "any",
        "input": _digest(vars(job.input)),
        "task": _digest([job.task.name, dict(job.task.options)]),
        "frames": Path(job.frames_path).name,
        "telemetry": _sensors(job.telemetry),
        "protocol": PROTOCOL,
    }
    own = ENGINE_FACTS if profile.simulated else (*MACHINE_FACTS, *TOOL_FACTS, *ENGINE_FACTS)
    found |= {name: _words(run.facts[name]) for name in own if name in run.facts}
    found |= {f"plan_{name}": getattr(job.plan, name) for name in PLAN_FIELDS}
    if job.plan.arrivals is not None:
        found["arrivals"] = _digest(vars(job.plan.arrivals))
    return found


def provenance_of(job: Job, root: Path | None) -> dict[str, str]:
    """What a regression may be blamed on: the model's build, the harness, the commit of the repository."""
    checkout = checkout_of(root)
    return {
        "model_sha256": job.model_sha256, "harness": __version__, "commit": checkout.commit, "subject": checkout.subject
    }  # fmt: skip


def _sensors(telemetry: Telemetry) -> str:
    """What is read beside the frames, how often, and what adds up to power: all that can move a number."""
    probes = [f"{name}@{one.get('rate_hz', 'own')}" for name, one in sorted(telemetry.probes.items())]
    power = telemetry.power
    energy = [f"{'+'.join(power.rails)} for {telemetry.window_s:g} s after {telemetry.idle_s:g} s"] if power else []
    return ", ".join([*probes, *energy]) or "none"


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """What is checked out: commit, with + where files differ from it or git cannot tell; its subject, cut to 120."""

    commit: str = ""
    subject: str = ""


@lru_cache
def checkout_of(folder: Path | None) -> Checkout:
    """What is checked out in `folder`, all empty outside a repository; git is asked once per process and folder."""
    if folder is None:
        return Checkout()
    newest = _git(folder, "log", "-1", "--no-show-signature", "--abbrev=12", "--format=%h%n%s")
    if not newest:
        return Checkout()
    commit, _, subject = newest.partition("\n")
    unchanged = _git(folder, "status", "--porcelain", "--untracked-files=no") == ""
    return Checkout(commit=commit if unchanged else f"{commit}+", subject=subject[:SUBJECT_CHARACTERS])


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Sentences about what is not equal in two identities."""
    names = sorted({*one, *other} - {*NO_LONGER_ASKED})
    return [f"{name}: {one.get(name, '-')} and now {other.get(name, '-')}" for name in names
            if one.get(name) != other.get(name)]  # fmt: skip


def _git(folder: Path, *arguments: str) -> str | None:
    """What git says; None where it fails, cannot be had, or takes too long."""
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=GIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _words(value: Any) -> Any:
    """A flat scalar of anything."""
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value
