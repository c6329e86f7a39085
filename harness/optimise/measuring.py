"""A candidate on one runtime of the target, through the harness's own session: every figure, every limit judged."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.case import Case
from harness.context import disturbed
from harness.errors import HarnessError
from harness.measurement import Measurement
from harness.model import ModelCard, Variant
from harness.optimise.candidates import PARENT
from harness.optimise.intervals import accuracy_interval, judged_loss, loss_interval
from harness.optimise.remarks import float_remarks
from harness.optimise.rows import ALIVE, Interval, Judged, Row, typical
from harness.optimise.wanted import Wanted
from harness.parity import Parity, slice_advice
from harness.prepare import Setup, file_format
from harness.profile import DeviceProfile
from harness.remember import remember
from harness.rules import Outcome
from harness.session import Session
from harness.verdict import Verdict

SHOWN = (
    "frame_p25_ms", "frame_p50_ms", "frame_p99_ms", "infer_p25_ms", "infer_p50_ms", "infer_p99_ms", "pre_p50_ms",
    "fps_mean", "load_ms", "peak_memory_mb", "model_memory_mb", "runtime_memory_mb", "file_size_mb",
    "energy_per_frame_mj", "net_power_w", "engine_flips_percent", "float32_share_percent",
    "placed_share_percent", "partitions",
)  # fmt: skip
TOLD = (
    "engine", "version", "precision", "threads", "cpu", "cores", "os", "machine", "board", "layer_precisions",
    "placement",
)  # fmt: skip
FLIPS = "label_flips_percent"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is measured: `variant` of `card` on `runtime` of `profile`, beside the case `reference` (None: the parent's
    own row).

    candidate: the row's name. integer: it promises to compute in integers.
    """

    candidate: str
    card: ModelCard
    profile: DeviceProfile
    variant: str
    runtime: str
    reference: Case | None = None
    integer: bool = False

    @property
    def case(self) -> Case:
        return Case(self.profile.name, self.card.name, self.variant, self.runtime)

    @property
    def beside(self) -> str:
        """The runtime of its reference; empty without one."""
        return self.reference.runtime if self.reference else ""

    @property
    def entry(self) -> bool:
        """True where the file is the parent's and the runtime's options are others."""
        return self.reference is not None and self.reference.variant == self.variant


def beside_parent(card: ModelCard, name: str, files: Mapping[str, str]) -> ModelCard:
    """The card with its parent and one new variant made from it; file paths may be absolute."""
    made = Variant(files=dict(files), parent=PARENT)
    return card.model_copy(update={"variants": {PARENT: card.variants[PARENT], name: made}})


def open_session(wanted: Wanted, subject: Subject) -> Session:
    """A session that can measure the subject and what it is compared with; nothing is measured yet."""
    folder = wanted.folder(subject.card)
    setup = Setup(
        profile=subject.profile, cards=(subject.card,), plan=wanted.plan, work=folder / "work", cache=wanted.cache,
        named=True, root=wanted.root, history=wanted.history,
    )  # fmt: skip
    return Session(setup=setup, progress=lambda *said: None, accuracy_wanted={subject.case}, asked={subject.case})


def measure(wanted: Wanted, subject: Subject) -> Row:
    """Everything about the subject but its speed-up, and its session in the history; HarnessError where the case
    cannot be measured, DatasetError where it cannot be scored.
    """
    session, case = open_session(wanted, subject), subject.case
    session.measurement(case)
    verdicts = [one for metric in (ALIVE, *session.unjudged(case)) for one in _checked(session, case, metric)]
    measured, parity = _compared(session, subject)
    if subject.entry and parity:
        assert subject.reference is not None
        verdicts.append(judged_loss(parity, wanted.loss_points, subject.reference.runtime))
    row = _row(wanted, subject, session, measured, parity, verdicts)
    return replace(row, remarks=(*row.remarks, *_unkept(session, wanted.command)))


def _unkept(session: Session, command: str) -> Iterator[str]:
    """The session into the history; a history that takes nothing costs no measurement."""
    try:
        remember(session, command, selected=True)
    except HarnessError as error:
        yield f"not in the history: {error.sentence}"


def _checked(session: Session, case: Case, metric: str) -> list[Judged]:
    """The verdicts on a limit; one that cannot be judged is not green either."""
    try:
        return [judged(one) for one in session.check(case, metric)]
    except HarnessError as error:
        return [Judged(metric=metric, outcome=Outcome.INCONCLUSIVE.value, gate=True, sentence=error.sentence)]


def _compared(session: Session, subject: Subject) -> tuple[Measurement, Parity | None]:
    """The case measured and scored, and its answers beside those of its reference."""
    if subject.reference is None:
        return session.with_accuracy(subject.case), None
    if subject.entry:
        measured = session.with_reference_engine(subject.case)
        return measured, measured.engine_parity
    measured = session.with_parent(subject.case)
    return measured, measured.parity


def _row(
    wanted: Wanted, subject: Subject, session: Session, measured: Measurement, parity: Parity | None,
    verdicts: list[Judged],
) -> Row:  # fmt: skip
    job, score = session.job(subject.case), measured.score
    assert score is not None
    row = Row(
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        candidate=subject.candidate, runtime=subject.runtime, beside=subject.beside, entry=subject.entry,
        file_format=file_format(subject.profile, subject.card, subject.variant, subject.runtime),
        sha256=job.model_sha256, values=values_of(measured), accuracy=accuracy_interval(session, subject.case, score),
        disturbed=disturbed(measured.runs), score=score.name, frames=score.frames, verdicts=tuple(verdicts),
        facts=_facts(measured),
        loss=Interval(value=0.0) if parity is None else loss_interval(parity, wanted.loss_points),
    )  # fmt: skip
    flips = {} if parity is None or parity.flips is None else {FLIPS: 100 * parity.flips / parity.frames}
    row = replace(row, values={**row.values, **flips}, typical_ms=typical(row, row))
    advice = slice_advice(subject.case.variant, parity) if parity else []
    return replace(row, remarks=(*float_remarks(row, subject.integer), *advice))


def values_of(measured: Measurement) -> dict[str, float]:
    """Metric -> value, of those that a report shows; what was not measured is absent."""
    found = {name: measured.value(name) for name in SHOWN}
    return {name: float(value) for name, value in found.items() if value is not None}


def judged(verdict: Verdict) -> Judged:
    """A verdict as plain data."""
    return Judged(
        metric=verdict.metric, outcome=verdict.outcome.value, gate=verdict.gate, sentence=verdict.sentence,
        value=verdict.value, limit=verdict.limit,
    )  # fmt: skip


def _facts(measured: Measurement) -> dict[str, Any]:
    return {name: measured.facts[name] for name in TOLD if name in measured.facts}
