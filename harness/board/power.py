"""Switching a board off and on again, by commands of this machine that its profile names."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from harness.errors import PowerError
from harness.processes import end_group, ends_within
from harness.profile import DeviceProfile
from harness.transports import Switched, Transport

COMMAND_S = 60.0
OFF_S = 2.0


def power_cycle(profile: DeviceProfile, transport: Transport | None) -> bool:
    """Off and on; False where the profile names no switch. PowerError where the switch does not do it."""
    board = profile.board
    if board.place_power and isinstance(transport, Switched):
        transport.power("cycle")
    elif board.power_cycle:
        _switch(profile, board.power_cycle)
    elif board.power_off and board.power_on:
        _switch(profile, board.power_off)
        time.sleep(OFF_S)
        _switch(profile, board.power_on)
    else:
        return False
    return True


def _switch(profile: DeviceProfile, command: Sequence[str]) -> None:
    """Files and not pipes: what the command leaves running must not hold this process."""
    where = f"{profile.file}, board: {' '.join(command)}"
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        raise PowerError(f"the power switch cannot be used: {error.strerror}", where=where) from error
    if not ends_within(process.pid, COMMAND_S):
        end_group(process)
        raise PowerError(f"the power switch gave no answer within {COMMAND_S:g} s", where=where)
    if process.wait():
        raise PowerError(f"the power switch failed with status {process.returncode}", where=where)
