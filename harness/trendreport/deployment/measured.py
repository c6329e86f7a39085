"""What the history and the accepted baselines show of the files that the card has now: tested, in budget, accepted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.against import NAME as REFERENCE
from harness.baseline import Baseline, baseline_path, read_baseline
from harness.case import Case
from harness.history.trendrows import SessionHead
from harness.lookback import NAME as BASELINE
from harness.trendreport.cells import SIMULATED, plural, some
from harness.trendreport.deployment.folder import UNREADABLE, fault_of
from harness.trendreport.model import Claim, Evidence, Item, ItemState, Row
from harness.trendreport.page.payload import ID_DIGITS

BUILD, BUILD_DIGITS = "model_sha256", 12
NO_CASE = Evidence(what="", state="not done", sentence="no session of it in this history")
LIMITS = ("budget", "accuracy")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A case: its sessions, the oldest first, and its rows. builds: hashes of the files that it may mean now.

    simulated: its numbers are no real hardware's.
    """

    case: Case
    builds: frozenset[str]
    heads: tuple[SessionHead, ...]
    rows: tuple[Row, ...]
    simulated: bool = False

    @property
    def what(self) -> str:
        """As evidence calls it."""
        return f"{self.case.variant}/{self.case.runtime}"

    @cached_property
    def present(self) -> list[SessionHead]:
        """The sessions of the present file."""
        return [one for one in self.heads if build_of(one) in self.builds]

    @cached_property
    def own(self) -> list[SessionHead]:
        """Those of them that are valid."""
        return [one for one in self.present if one.valid]

    def verdicts(self) -> Iterator[tuple[Row, Claim]]:
        """The gates of the newest verdicts, where these are on the present file."""
        times = {one.at for one in self.present}
        yield from ((row, claim) for row in self.rows if row.at in times for claim in row.claims if claim.gate)


def build_of(head: SessionHead) -> str:
    """The hash of the model that a session ran; "" where it does not tell."""
    return str(head.provenance.get(BUILD) or "")


def measured_items(seen: Sequence[Seen], plans: Mapping[str, str], root: Path) -> Iterator[Item]:
    """The items for one device. plans: session -> the name of its plan."""
    found = {
        "tested on target": [_tested(one, plans) for one in seen],
        "budgets met": [_budgets(one) for one in seen],
        "baseline accepted": [_accepted(one, root) for one in seen],
    }
    for name, told in found.items():
        evidence = tuple(_real(one, of) for one, of in zip(told, seen, strict=True))
        yield Item(name=name, evidence=evidence or (NO_CASE,))


def _real(evidence: Evidence, seen: Seen) -> Evidence:
    """Nothing is done by simulated numbers."""
    if not seen.simulated:
        return evidence
    state: ItemState = "not done" if evidence.state == "done" else evidence.state
    return replace(evidence, state=state, sentence=f"{SIMULATED}, no real hardware's: {evidence.sentence}")


def _tested(seen: Seen, plans: Mapping[str, str]) -> Evidence:
    if not seen.heads:
        return Evidence(what=seen.what, state="not done", sentence="no session in this history")
    newest = (seen.own or seen.present or seen.heads)[-1]
    plan = f" with plan {plans[newest.id]}" if newest.id in plans else ""
    return Evidence(
        what=seen.what, state="done" if seen.own else "not done",
        sentence=f"{_counted(seen)}, the newest of {newest.at[:10]}{plan}",
        where=f"session {newest.id[:ID_DIGITS]}",
    )  # fmt: skip


def _counted(seen: Seen) -> str:
    if seen.own:
        return f"{plural(len(seen.own), 'valid session')} of the present file"
    if seen.present:
        return f"{plural(len(seen.present), 'session')} of the present file, none of them valid"
    return f"{plural(len(seen.heads), 'session')}, all of {_file(build_of(seen.heads[-1]))} and not the present one"


def _file(build: str) -> str:
    return f"the file {build[:BUILD_DIGITS]}" if build else "a file that nobody named"


def _budgets(seen: Seen) -> Evidence:
    """The gates on limits, and that the outputs are alive; what was asked for and not measured is one of them."""
    gates = [(row.metric, claim.outcome, row.at) for row, claim in seen.verdicts() if _is_limit(row, claim)]
    gates += [(row.metric or "every metric", "MISSING", row.at) for row in seen.rows
              if row.missing and not row.advice and row.metric not in (BASELINE, REFERENCE)]  # fmt: skip
    if not gates:
        return Evidence(what=seen.what, state="not done", sentence="no gate was judged on the present file")
    left = [f"{metric} {outcome}" for metric, outcome, _ in gates if outcome != "PASS"]
    outcomes = {outcome for _, outcome, _ in gates}
    named = f": {some(list(dict.fromkeys(left)))}" if left else ""
    sentence = f"{len(gates) - len(left)} of {plural(len(gates), 'gate')} PASS, judged {_dates(gates)}{named}"
    newest = max(at for _, _, at in gates)
    where = next((f"session {one.id[:ID_DIGITS]}" for one in seen.heads if one.at == newest), "")
    return Evidence(what=seen.what, state=_budget_state(outcomes), sentence=sentence, where=where)


def _is_limit(row: Row, claim: Claim) -> bool:
    return claim.kind in LIMITS or (claim.kind == "state" and row.metric not in (BASELINE, REFERENCE))


def _budget_state(outcomes: set[str]) -> ItemState:
    if "FAIL" in outcomes:
        return "failed"
    if "MISSING" in outcomes:
        return "not done"
    return "done" if outcomes == {"PASS"} else "unknown"


def _dates(gates: Sequence[tuple[str, str, str]]) -> str:
    days = sorted({at[:10] for _, _, at in gates if at})
    return " to ".join(dict.fromkeys((days[0], days[-1]))) if days else "never"


def _accepted(seen: Seen, root: Path) -> Evidence:
    """By whom, when and why; failed where the newest verdicts are worse than it."""
    try:
        path = baseline_path(root / "baselines", seen.case)
        found = read_baseline(path)
    except UNREADABLE as error:
        sentence = f"its baseline cannot be trusted: {fault_of(error, root)}"
        return Evidence(what=seen.what, state="failed", sentence=sentence)
    if found is None:
        return Evidence(what=seen.what, state="not done", sentence="nothing was accepted")
    where = path.relative_to(root).as_posix()
    state, remark = _standing(found, seen)
    count = plural(len(found.sessions), "session")
    said = f"by {found.accepted_by} on {found.accepted_at[:10]}, of {count}: {found.reason}{remark}"
    return Evidence(what=seen.what, state=state, sentence=said, where=where)


def _standing(baseline: Baseline, seen: Seen) -> tuple[ItemState, str]:
    """Whether it is of the present file, and the file still keeps it."""
    worse = [row.metric for row, claim in seen.verdicts() if claim.kind == "change" and claim.outcome == "FAIL"]
    if worse:
        return "failed", f"; since then worse: {some(worse)}"
    builds = {str(one.provenance.get(BUILD) or "") for one in baseline.sessions}
    if builds <= seen.builds:
        return "done", ""
    return "not done", f"; that was {_file(max(builds - seen.builds))} and not the present one"
