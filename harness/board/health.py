"""How a board fared lately: three failures of the lab in a row make it a bad one, until a health check passes."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.errors import ConfigError, InfraError
from harness.files import replace_in_order
from harness.profile import AT, DeviceProfile

IN_A_ROW = 3
TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, kw_only=True)
class Health:
    """failures: the last ones of the lab, in a row. bad_since: empty for a board that may be used.

    attempts, failed: of all jobs, and how many of them the lab spoiled. checked: when a health check passed last.
    """

    failures: tuple[str, ...] = ()
    bad_since: str = ""
    attempts: int = 0
    failed: int = 0
    checked: str = ""

    def after(self, failure: str, at: str) -> Health:
        """After one more attempt; `failure` is empty where the lab did not spoil it."""
        counted = replace(self, attempts=self.attempts + 1, failed=self.failed + bool(failure))
        if not failure:
            return replace(counted, failures=())
        failures = (*self.failures, failure)[-IN_A_ROW:]
        bad_since = at if len(failures) >= IN_A_ROW else ""
        return replace(counted, failures=failures, bad_since=self.bad_since or bad_since)

    def passed(self, at: str) -> Health:
        """After a health check that found all well."""
        return replace(self, failures=(), bad_since="", checked=at)


def read_health(folder: Path, device: str) -> Health:
    """What is kept of the device; a new page where nothing can be read."""
    try:
        raw = json.loads(_path(folder, device).read_text(encoding="utf-8"))
        return Health(**{**raw, "failures": tuple(map(str, raw["failures"]))})
    except (OSError, ValueError, KeyError, TypeError):
        return Health()


def write_health(folder: Path, device: str, health: Health) -> None:
    """Keep it; OSError where it cannot be."""
    text = json.dumps(asdict(health), indent=1, sort_keys=True)
    replace_in_order({_path(folder, device): text.encode("utf-8")})


def refuse_unfit(profile: DeviceProfile, folder: Path) -> None:
    """ConfigError for a board that its profile keeps from use, InfraError for one that was marked bad meanwhile."""
    if profile.board.state != "active":
        raise ConfigError(
            f"board {profile.name} is not in use: state = {profile.board.state!r}", where=f"{profile.file}, board",
            remedy='write state = "active" when it is well again',
        )  # fmt: skip
    found = read_health(folder, profile.name)
    if found.bad_since:
        name = profile.name.partition(AT)[0]
        raise InfraError(
            f"board {name} is marked bad since {found.bad_since}, after: {found.failures[-1]}", where=profile.file,
            remedy=f"see to the board; `harness board check {name}` clears it when it is well",
        )  # fmt: skip


def now() -> str:
    """The time of day in UTC, as it is kept."""
    return time.strftime(TIME, time.gmtime())


def _path(folder: Path, device: str) -> Path:
    """One page for a board in all its power modes."""
    return folder / f"{device.partition(AT)[0]}.json"
