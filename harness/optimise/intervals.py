"""Intervals of what is measured on labelled frames: the score itself, and the loss against another case."""

from __future__ import annotations

import math
from contextlib import suppress
from dataclasses import replace

import numpy as np

from harness.accuracy import load_predictions, prediction_key
from harness.case import Array, Case
from harness.errors import HarnessError
from harness.optimise.rows import LOSS, Interval, Judged
from harness.packing import Labelled, prepared_pack
from harness.parity import Parity, cluster_of_frames
from harness.parity.losses import RESAMPLES, gathered
from harness.prepare import source_of
from harness.rules import Outcome, decide
from harness.session import Session
from harness.stats.bounds import ALPHA
from harness.stats.noninferiority import ClusteredVerdict, judge_clustered_loss, judge_resampled_loss
from harness.tasks import Reweighable, Score, open_task

ANY_MARGIN = 0.5


def loss_interval(parity: Parity, limit_points: float) -> Interval:
    """The loss in points, with the interval that the rule judges it by, 5 % on each side."""
    found = decide(parity.rule, {**parity.inputs, "margin": limit_points / 100, "alpha": ALPHA}).found
    return _in_hundredths(parity.loss_points / 100, found.low, found.high)


def judged_loss(parity: Parity, limit_points: float, beside: str) -> Judged:
    """Is less lost than that, beside another case that is no variant's parent?"""
    ruling = decide(parity.rule, {**parity.inputs, "margin": limit_points / 100, "alpha": ALPHA})
    relation = {Outcome.PASS: "within", Outcome.FAIL: "over"}.get(ruling.outcome, "not shown to be within")
    low, high = 100 * ruling.found.low, 100 * ruling.found.high
    sentence = (
        f"loss {parity.loss_points:.3g} points [{low:.3g}, {high:.3g}] on {parity.frames} frames beside {beside}: "
        f"{relation} {limit_points:g}"
    )
    return Judged(
        metric=LOSS, outcome=ruling.outcome.value, gate=True, sentence=sentence, value=parity.loss_points,
        limit=limit_points,
    )  # fmt: skip


def accuracy_interval(session: Session, case: Case, score: Score) -> Interval:
    """The score in per cent; its 90 % interval by whole clusters, since frames of one driver are alike.

    Without bounds where the predictions cannot be found again, or the score is the user's own.
    """
    labelled = _labelled(session, case)
    clusters = gathered(cluster_of_frames(labelled.samples))
    if score.per_frame is not None:
        sums, weights = np.bincount(clusters, score.per_frame), np.bincount(clusters)
        found = judge_clustered_loss(sums.tolist(), weights.tolist(), len(clusters), ANY_MARGIN)
        return _in_hundredths(score.value / 100, found.low, found.high)
    resampled = _resampled(session, case, labelled, clusters, score.value / 100)
    return _in_hundredths(score.value / 100, *((resampled.low, resampled.high) if resampled else (-math.inf, math.inf)))


def _resampled(
    session: Session, case: Case, labelled: Labelled, clusters: Array, value: float
) -> ClusteredVerdict | None:
    job = replace(session.job(case), timed=False, labelled_path=str(labelled.folder))
    task = open_task(job.task, job.input)
    predictions = load_predictions(session.setup.cache, prediction_key(job, session.setup.profile))
    if predictions is None or not isinstance(task, Reweighable):
        return None
    weighed, count = task.reweighed(predictions, labelled.truths), int(clusters.max()) + 1
    values = []
    for drawn in np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES):
        with suppress(HarnessError):
            values.append(weighed(drawn[clusters].astype(float)) / 100)
    return judge_resampled_loss(value, sorted(values), RESAMPLES, count, len(clusters), ANY_MARGIN)


def _labelled(session: Session, case: Case) -> Labelled:
    """The frames that the case was scored on, from the cache where the session left them."""
    card, setup = session.cases[case], session.setup
    spec = session.job(case).input
    truth = str(card.dataset["truth"])
    return prepared_pack(source_of(card), truth, spec, setup.plan.accuracy_frames, setup.cache, lambda *said: None)


def _in_hundredths(value: float, low: float, high: float) -> Interval:
    """Shares in per cent; an infinite bound is none."""
    bounds = (100 * one if math.isfinite(one) else None for one in (low, high))
    return Interval(value=100 * value, low=next(bounds), high=next(bounds))
