"""The first screen above the table: one state, one sentence, the next step, and what stands out. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence

from harness.case import Case
from harness.trendreport.gather.counts import claims_of, compared, sentence_of
from harness.trendreport.gather.findings import failed, missing, new, not_asked, simulated_cases
from harness.trendreport.gather.runs import NewestRun
from harness.trendreport.gather.sessions import ACCEPT, IMPORT
from harness.trendreport.model import Overview, Row

# The worst first. The state of the whole is the worst of its devices; the words are those of a single run's report.
NEXT = {
    "FAIL": "the FAIL rows give value and limit; measure the last good build on the same device to see what changed",
    "ERROR": "each missing row says why; what has no number is not known to be good",
    "INTERRUPTED": "run the cases that are left: the same command once more",
    "NOTHING MEASURED": "measure: pytest suites/ --device={device}",
    "INVALID": "each sentence says what spoiled the numbers; leave the machine to the measurement alone and run again",
    "INCONCLUSIVE": "more frames or a quieter machine would decide; nothing here is proven good or bad",
    "NOT_COMPARABLE": "measure and accept a baseline under the same conditions: {accept}",
    "NO_BASELINE": "measure and accept a baseline first: {accept}",
    "NOTHING JUDGED": "give the metrics a limit in the device profile or the model card",
    "PASS": "approve, after a look at the smallest change that each row would have seen",
}
ACCEPTING = "harness accept --device={device} --reason='what changed, and why it is right'"
# How harness.verdict ends the sentence about a speed that a plan does not judge.
NEVER_JUDGES = "never judges speed"
NEXT_PLAN = "the plan never judges speed: pytest suites/ --device={device} --plan=standard"
JUDGE = "judge the build: pytest suites/ --device={device}"
JUDGE_AGAIN = "what was FAIL was not decided since: pytest suites/ --device={device}"
WHOLE = "the newest run was asked for a part: measure all before you approve: pytest suites/ --device={device}"
PRETENDED = "nothing here is of real hardware: measure on the device that matters: pytest suites/ --device=DEVICE"
_WORST_FIRST = tuple(NEXT)
Runs = Mapping[str, NewestRun]


def overview_of(rows: Sequence[Row], runs: Runs, cases: Sequence[Case]) -> Overview:
    """What the newest run of each device says. rows: the heaviest first. cases: all that have sessions."""
    if not runs:
        return Overview(
            state="NOTHING MEASURED", sentence="the history is empty", compared="", run="",
            next_step=NEXT["NOTHING MEASURED"].format(device="DEVICE"),
        )  # fmt: skip
    place, device = min((_state(rows, run), name) for name, run in _judging(runs).items())
    state, simulated = _WORST_FIRST[place], simulated_cases(rows)
    return Overview(
        state=state, sentence=sentence_of(rows, runs, cases), compared=compared(rows),
        next_step=_next_step(state, runs[device], rows, len(simulated) == len(cases)),
        run="; ".join(f"{name}: {_told(run)}" for name, run in runs.items()),
        failed=tuple(failed(rows)), new=tuple(new(rows, runs)), missing=tuple(missing(rows)),
        simulated=tuple(simulated), not_asked=tuple(not_asked(rows, runs, cases)),
    )  # fmt: skip


def _next_step(state: str, run: NewestRun, rows: Sequence[Row], pretended: bool) -> str:
    device = shlex.quote(run.record.device)
    step = _special_step(state, run, rows, pretended) or NEXT[state]
    return step.format(device=device, accept=ACCEPTING.format(device=device))


def _special_step(state: str, run: NewestRun, rows: Sequence[Row], pretended: bool) -> str:
    """What to do where the state alone does not say it; "" where it does."""
    failures = [row for row in rows if row.failed]
    unjudged = any(one.gate and one.sentence.endswith(NEVER_JUDGES) for one in claims_of(rows))
    steps = {
        JUDGE_AGAIN: state == "FAIL" and all("not judged since" in row.flags for row in failures),
        NEXT_PLAN: state == "INCONCLUSIVE" and unjudged,
        JUDGE: state == "NOTHING JUDGED" and run.record.purpose == ACCEPT,
        PRETENDED: state == "PASS" and pretended,
        WHOLE: state == "PASS" and (run.record.selected or run.record.named),
    }
    return next((step for step, holds in steps.items() if holds), "")


def _judging(runs: Runs) -> Runs:
    """Imported benchmarks are never judged, and say nothing of a device beside runs that are."""
    return {name: run for name, run in runs.items() if run.record.purpose != IMPORT} or runs


def _state(rows: Iterable[Row], run: NewestRun) -> int:
    """Of one device, as its place in NEXT. What was FAIL and was not decided since is FAIL."""
    own = [row for row in rows if row.case.device == run.record.device]
    current = [row for row in own if row.current]
    gates = [one.outcome for one in claims_of(current) if one.gate]
    found = {outcome for outcome in gates if outcome != "PASS"}
    if any(row.failed for row in own):
        found.add("FAIL")
    if any(row.missing and not row.advice and row.case not in run.unreached for row in current):
        found.add("ERROR")
    if run.record.interrupted:
        found.add("INTERRUPTED")
    if not run.measured:
        found.add("NOTHING MEASURED")
    return min(map(_WORST_FIRST.index, found or {"PASS" if gates else "NOTHING JUDGED"}))


def _told(run: NewestRun) -> str:
    record = run.record
    policy = f", policy {record.policy}" if record.policy else ""
    interrupted = ", interrupted" if record.interrupted else ""
    selected = ", asked for a part" if record.selected or record.named else ""
    return f"{record.at}, {record.command or 'command not kept'}{policy}{selected}{interrupted}"
