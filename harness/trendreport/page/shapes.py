"""An outcome's shape: every colour of the page has one beside it, so that nothing rests on colour alone."""

from __future__ import annotations

from collections.abc import Iterable

from harness.trendreport.model import NOT_JUDGED, OUTCOMES

# What rows say beside the outcomes. STALE: whatever only an earlier run said; its mark is that of UNJUDGED.
MISSING_ROW, UNJUDGED, STALE = "MISSING", "NOT_JUDGED", "NOT_CURRENT"
# Outcome -> the end of its class names; page.css gives each a colour, and says which are filled.
CLASSES = {
    **{one: one.lower().replace("_", "-") for one in OUTCOMES}, MISSING_ROW: "missing", UNJUDGED: "not-judged",
}  # fmt: skip
# Relative path data around the current point, in half pixels. A dot is a line of no length with a wide cap.
DOT = "h.01"
SHAPES = {
    "FAIL": "m-6-6 12 12m0-12-12 12",
    "INVALID": "m-6 0a6 6 0 1 0 12 0a6 6 0 1 0-12 0",
    "INCONCLUSIVE": DOT,
    "NOT_COMPARABLE": "m0-7 7 7-7 7-7-7z",
    "NO_BASELINE": "m0-7 7 12h-14z",
    "PASS": DOT,
    MISSING_ROW: "m-6-6h12v12h-12z",
    UNJUDGED: DOT,
}
# States of a whole run that are no outcome, by the outcome whose mark they take.
STATES = {"ERROR": "FAIL", "INTERRUPTED": MISSING_ROW, "NOTHING MEASURED": MISSING_ROW, "NOTHING JUDGED": UNJUDGED}


def mark_class(outcome: str) -> str:
    """The class of an outcome or of a run's state; of what this version does not know, "not-judged"."""
    return CLASSES.get(STATES.get(outcome, outcome), CLASSES[UNJUDGED])


def outcome_name(code: int) -> str:
    """The outcome of a code in `Series.outcome`."""
    return OUTCOMES[code] if 0 <= code < NOT_JUDGED else UNJUDGED


def marks_path(outcome: str, points: Iterable[tuple[int, int]]) -> str:
    """Path data with the outcome's shape at every point."""
    shape = SHAPES[outcome]
    return "".join(f"M{x} {y}{shape}" for x, y in points)
