"""Where each case ran and how: the promised unit's share, the pieces, the precisions of the layers, what was fused."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.measurement import Measurement
from harness.report.layout import Row, Table
from harness.report.values import MISSING, case_name, measured_cases, titled
from harness.session import Session

NOTE = (
    "placed: share of the model's nodes on the promised unit; parts: pieces into which that unit took the model; "
    "layers: share by the precision that ran; fused: convolutions with their activation, of all; BN: batch "
    "normalisations left; -: the engine does not tell"
)
SHOWN_UNITS = 3


def placement_table(session: Session) -> Table:
    """One row per case whose engine tells where it ran."""
    rows = (_row(one) for one in measured_cases(session))
    return Table(
        title=titled(session, "Placement, precision, fusion"),
        columns=("case", "engine", "promised", "placed %", "parts", "units", "layers", "fused", "BN"),
        groups=(("", tuple(row for row in rows if set(row[2:]) != {MISSING})),),
        left=2,
        notes=(NOTE,),
    )


def _row(measured: Measurement) -> Row:
    facts = measured.facts
    return (
        case_name(measured.case), f"{facts.get('engine', '')} {facts.get('version', '')}".strip(),
        str(facts.get("promised") or MISSING), _plain(measured.value("placed_share_percent")),
        _plain(measured.value("partitions")), _shares(facts.get("placement")), _shares(facts.get("layer_precisions")),
        _fused(facts.get("fusion")), _plain(measured.value("batch_norms_left")),
    )  # fmt: skip


def _plain(value: float | None) -> str:
    return MISSING if value is None else f"{value:.4g}"


def _shares(shares: Any) -> str:
    """The largest first, in per cent."""
    if not isinstance(shares, Mapping) or not shares:
        return MISSING
    largest = sorted(shares.items(), key=lambda one: -one[1])
    more = f", {len(largest) - SHOWN_UNITS} more" if len(largest) > SHOWN_UNITS else ""
    return ", ".join(f"{name} {100 * share:.3g}" for name, share in largest[:SHOWN_UNITS]) + more


def _fused(fusion: Any) -> str:
    if not isinstance(fusion, Mapping) or "convolutions" not in fusion or "with_activation" not in fusion:
        return MISSING
    return f"{fusion['with_activation']}/{fusion['convolutions']}"
