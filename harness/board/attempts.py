"""A job on a board, once more where the lab spoiled it: at most twice, after the board was seen to answer again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

from harness.board.asking import Link
from harness.board.health import now, read_health, refuse_unfit, write_health
from harness.board.link import Links, current_links
from harness.board.power import power_cycle
from harness.errors import (
    BusyError,
    ConfigError,
    CutShortError,
    DiskError,
    HarnessError,
    HostKeyError,
    InfraError,
    NoBoardError,
)
from harness.profile import DeviceProfile

T = TypeVar("T")
Note = Callable[[str], None]
AGAIN = 2
PAUSE_S = 2.0
# Somebody else's board, or somebody else's key: asking once more changes nothing.
NOT_AGAIN = (BusyError, NoBoardError, HostKeyError)
# The board itself said so: it can be left in order.
ANSWERED = (BusyError, CutShortError, DiskError)
# Other people's work is no fault of the board.
BLAMELESS = (BusyError, NoBoardError)


def attempt(profile: DeviceProfile, once: Callable[[Link], T], note: Note) -> T:
    """`once` with the device's link; `note` is told why it was done again. Raises what the last attempt raised.

    ConfigError or InfraError at once where the board is not to be used.
    """
    with current_links() as links:
        if not links.checking:
            refuse_unfit(profile, links.state)
        for again in range(AGAIN, -1, -1):
            try:
                found = once(links.link(profile))
            except InfraError as error:
                _count(links, profile, error)
                final = not again or isinstance(error, NOT_AGAIN)
                switched = not final and _switched(links, profile)
                links.drop(profile, answers=final and isinstance(error, ANSWERED))
                if final:
                    raise
                note(f"{error.where or profile.name}: tried again, since {error.sentence}")
                _wait(links, profile, profile.board.boot_s if switched else PAUSE_S)
            except HarnessError as error:
                if not isinstance(error, ConfigError):
                    _count(links, profile, None)
                raise
            else:
                _count(links, profile, None)
                return found
    raise AssertionError("the last attempt returns or raises")


def _switched(links: Links, profile: DeviceProfile) -> bool:
    """Switch it off and on where there is a switch; one that fails is a failure of the board's own."""
    try:
        return power_cycle(profile, links.transport(profile))
    except InfraError as error:
        _count(links, profile, error)
        return False


def _wait(links: Links, profile: DeviceProfile, seconds: float) -> None:
    """Until it answers, so long at most; the next attempt finds out the rest."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(PAUSE_S)
        try:
            links.link(profile).greet()
        except HarnessError:  # a board that boots may have no python yet, or let nobody in
            links.drop(profile)
        else:
            return


def _count(links: Links, profile: DeviceProfile, error: InfraError | None) -> None:
    """Keep how it went; a page that cannot be written costs the count only."""
    if isinstance(error, BLAMELESS):
        return
    found = read_health(links.state, profile.name)
    with contextlib.suppress(OSError):
        write_health(links.state, profile.name, found.after(error.sentence if error else "", now()))
