"""Exit codes of commands that run whole suites: what a pipeline must know of all cases in one number. Pure.

pytest's own meanings are kept: 2 interrupted, 3 an error of the harness, 4 configuration, 5 nothing measured.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.errors import BUG, CONFIG, DUT, INFRA

PASS, FAIL, BUSY, NOTHING, INTERRUPTED = "PASS", "FAIL", "BUSY", "NOTHING", "INTERRUPTED"
NOTHING_CODE = 5
# The worst first. Of two codes the one that stands first is told: a wrong question makes every answer worthless, and a
# proven regression stays proven beside a board that could not be reached.
CODES: tuple[tuple[str, int], ...] = (
    (CONFIG, 4), (BUG, 3), (FAIL, 1), (DUT, 1), (INTERRUPTED, 2), (BUSY, 75), (INFRA, 6), (NOTHING, NOTHING_CODE),
    (PASS, 0),
)  # fmt: skip
_RANK = {name: rank for rank, (name, _) in enumerate(CODES)}
_CODE = dict(CODES)
_CLASS_OF_STATUS = {2: INTERRUPTED, 3: BUG, 4: CONFIG, 5: NOTHING, 6: INFRA, 75: BUSY}


def exit_code(classes: Iterable[str]) -> int:
    """One code for all classes, of cases and of boards; where there is none, nothing was measured, which is 5.

    A class that nobody knows counts as a fault of the harness.
    """
    found = list(classes)
    return _CODE[worst_class(found)] if found else NOTHING_CODE


def worst_class(classes: Iterable[str]) -> str:
    """The class that decides; at least one must be given."""
    return min((one if one in _RANK else BUG for one in classes), key=_RANK.__getitem__)


def class_of_status(status: int, classes: Iterable[str]) -> str:
    """What the exit status of one pytest process adds to the classes of its cases; empty where it adds nothing.

    A process that a signal ended is the lab's fault. Status 1 without any red case: results were lost, which is red.
    """
    if status < 0 or status >= 128:
        return INFRA
    if status == 1:
        return "" if any(one not in (PASS, NOTHING) for one in classes) else FAIL
    return "" if status == 0 else _CLASS_OF_STATUS.get(status, BUG)
