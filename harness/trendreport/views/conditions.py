"""What stands side by side was measured under which conditions, and what a reader must know of each row. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from harness.fingerprint import MACHINE_FACTS
from harness.trendreport.cells import MISSING, SIMULATED, some
from harness.trendreport.views.newest import Newest

INVALID = "INVALID session"
# What must be equal, by what is compared. Between variants of one engine on one device everything but the precision is.
_METHOD = ("task", "frames", "protocol")
_MACHINE = (*MACHINE_FACTS, "soc", "transport", "cpu_cores", "telemetry")


def same_engine(one: Newest, reference: Newest) -> list[str]:
    """What differs between two variants on one engine of one device, in words."""
    return _differing(one, reference, sorted({*one.identity, *reference.identity} - {"precision"}))


def same_device(one: Newest, reference: Newest) -> list[str]:
    """What differs between two engines on one device; not the engine itself, and what belongs to it."""
    return _differing(one, reference, [*_MACHINE, *_method(one, reference)])


def same_method(one: Newest, reference: Newest) -> list[str]:
    """What differs in how two devices were measured."""
    return _differing(one, reference, _method(one, reference))


def _method(one: Newest, reference: Newest) -> list[str]:
    plan = sorted(name for name in {*one.identity, *reference.identity} if name.startswith("plan_"))
    return [*_METHOD, *plan]


def _differing(one: Newest, reference: Newest, names: Sequence[str]) -> list[str]:
    return [f"{name} {one.identity.get(name, MISSING)} (there {reference.identity.get(name, MISSING)})"
            for name in names if one.identity.get(name) != reference.identity.get(name)]  # fmt: skip


def remarks(one: Newest, differing: Sequence[str], reference: str) -> str:
    """What a reader must know before believing the row; reference: what its conditions were compared with."""
    other = f"other conditions than {reference}: {some(list(differing))}" if differing else ""
    invalid = "" if one.valid else INVALID
    return "; ".join(filter(None, [SIMULATED if one.simulated else "", invalid, other]))
