"""The power of a place, by labgrid's own drivers.

They run in labgrid's command line, as a process of its own: some of them talk to a switch without any deadline, and a
process can be ended. It works under the job's own name, so that it is let in, and without the caller's LG_ENV, which
would run code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from harness.errors import ConfigError, PowerError
from harness.labgridclient.claiming import Claim
from harness.labgridclient.trust import trusted
from harness.processes import end_session

ACTIONS = ("on", "off", "cycle")
DEADLINE_S = 60.0
KEPT_VARIABLE = "LG_PROXY"


def switch(claim: Claim, action: str, *, environment: str = "", deadline_s: float = DEADLINE_S) -> None:
    """Power of the claimed place on, off or off and on again; PowerError with labgrid's own words where it fails.

    environment: a labgrid environment file with a power driver for the place, from a trusted path; not needed where
    the place has a power port of a kind that labgrid knows how to drive.
    """
    if action not in ACTIONS:
        raise ConfigError(f"power cannot be switched {action!r}; known: {', '.join(ACTIONS)}")
    file = [f"--config={trusted(environment, Path.cwd())}"] if environment else []
    status, said = _run(claim, [*file, "power", action], deadline_s)
    if status != 0:
        reason = _reason(status, said, deadline_s)
        raise PowerError(
            f"the power of place {claim.place.name!r} cannot be switched ({action}): {reason}",
            where=f"it has {', '.join(sorted({one.cls for one in claim.lab.of(claim.place)})) or 'no resources'}",
            remedy="export a power port for the place, or name an environment file with a power driver for it",
        )


def _run(claim: Claim, arguments: list[str], deadline_s: float) -> tuple[int | None, str]:
    # -P: a module of the folder we stand in must not pass for one of labgrid's.
    command = [
        sys.executable, "-P", "-m", "labgrid.remote.client",
        f"--coordinator={claim.coordinator}", f"--place={claim.place.name}", *arguments,
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=_environment(claim), start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = process.communicate(timeout=deadline_s)
        return process.returncode, said.decode("utf-8", "replace")
    except subprocess.TimeoutExpired:
        return None, ""
    finally:
        end_session(process)
        if process.stdout is not None:
            process.stdout.close()


def _environment(claim: Claim) -> dict[str, str]:
    host, _, user = claim.holder.partition("/")
    inherited = {
        key: value
        for key, value in os.environ.items()
        if key == KEPT_VARIABLE or not (key.startswith("LG_") or key in ("PLACE", "STATE"))
    }
    return {**inherited, "LG_HOSTNAME": host, "LG_USERNAME": user, "LG_PLACE": claim.place.name}


def _reason(status: int | None, said: str, deadline_s: float) -> str:
    if status is None:
        return f"no answer within {deadline_s:g} s"
    lines = [line for line in said.splitlines() if line.strip()]
    return lines[-1] if lines else f"labgrid-client ended with {status}"
