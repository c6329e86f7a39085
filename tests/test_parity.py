"""A variant beside its parent: which rule, which numbers, and that equal variants are found equal."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.case import InputSpec, TaskSpec
from harness.errors import DatasetError
from harness.parity import cluster_of_frames, compare_with_parent, slice_advice
from harness.parity.losses import MOST_CLUSTERS, OWN_SCORE_RESAMPLES, RESAMPLES
from harness.stats.noninferiority import judge_clustered_loss, judge_resampled_loss
from harness.stats.proportions import judge_noninferiority
from harness.tasks import Score, open_task

RULES = {"tango/1": judge_noninferiority, "clusters/1": judge_clustered_loss, "resamples/1": judge_resampled_loss}
RIGHT, WRONG = np.float32([[0.9, 0.1]]), np.float32([[0.2, 0.8]])
TRUTH = np.float32([[0]])
EYES = open_task(TaskSpec("classification", {"classes": ["open", "closed"]}), InputSpec(64, 32))
FACES = open_task(TaskSpec("detection", {"classes": ["face"]}), InputSpec(64, 32))


def decision(parity, margin=0.01):
    return RULES[parity.rule](**json.loads(json.dumps(parity.inputs)), margin=margin).decision


def right_where(pattern):
    """Predictions, right where the pattern holds 1."""
    return [RIGHT if one else WRONG for one in pattern]


def subjects(frames, count, **more):
    return [{"subject": f"s{index % count}", **more} for index in range(frames)]


def compared(parent, variant, samples):
    return compare_with_parent(EYES, right_where(parent), right_where(variant), [TRUTH] * len(parent), samples)


def own_accuracy(predictions, truths):
    return 100.0 * float(np.mean([one.argmax() == truth[0, 0] for one, truth in zip(predictions, truths)]))


CUSTOM = {"function": f"{__name__}:own_accuracy", "score_function": f"{__name__}:own_accuracy"}
BOX, FACE = np.float32([[4, 4, 12, 12, 0.9, 0]]), np.arange(10, dtype=np.float32).reshape(5, 2)
# task -> options, prediction, truth, flips of the same predictions
TASKS = {
    "classification": ({"classes": ["open", "closed"]}, RIGHT, TRUTH, 0),
    "counting": ({"classes": ["head"]}, BOX, BOX[:, [0, 1, 2, 3, 5]], 0),
    "detection": ({"classes": ["face"]}, BOX, BOX[:, [0, 1, 2, 3, 5]], 0),
    "gaze": ({}, np.float32([[5, -3]]), np.float32([[4, -3]]), 0),
    "landmarks": ({"points": 5}, FACE, FACE, 0),
    "custom": (CUSTOM, RIGHT, TRUTH, None),
}


@pytest.mark.parametrize("samples", [[{}] * 400, subjects(400, 20)], ids=["alone", "subjects"])
@pytest.mark.parametrize("name", TASKS)
def test_the_same_predictions_twice_are_no_loss_and_pass(name, samples):
    options, prediction, truth, flips = TASKS[name]
    task = open_task(TaskSpec(name, options), InputSpec(64, 32))
    parity = compare_with_parent(task, [prediction] * 400, [prediction] * 400, [truth] * 400, samples)
    assert (parity.frames, parity.loss_points, parity.flips) == (400, 0, flips)
    assert decision(parity) == "pass"


@pytest.mark.parametrize("frames", [20, 200])
@pytest.mark.parametrize("name", ["classification", "detection", "custom"])
def test_of_a_few_frames_not_even_equal_variants_pass(name, frames):
    options, prediction, truth, _ = TASKS[name]
    task = open_task(TaskSpec(name, options), InputSpec(64, 32))
    parity = compare_with_parent(
        task, [prediction] * frames, [prediction] * frames, [truth] * frames, subjects(frames, 10)
    )
    assert decision(parity) == "unknown"


# samples of six frames -> rule, clusters
KNOWN = {
    "nothing": ([{}] * 6, [0, 1, 2, 3, 4, 5], "tango/1"),
    "empty names": ([{"subject": "", "clip": ""}] * 6, [0, 1, 2, 3, 4, 5], "tango/1"),
    "one frame of each": ([{"subject": name} for name in "abcdef"], [0, 1, 2, 3, 4, 5], "tango/1"),
    "subjects": ([{"subject": name} for name in "babbca"], [0, 1, 0, 0, 2, 1], "clusters/1"),
    "clips": ([{"clip": name} for name in "aabbcc"], [0, 0, 1, 1, 2, 2], "clusters/1"),
    "clips of subjects": (
        [{"subject": "s", "clip": name} for name in "abc"] + [{"subject": "t", "clip": name} for name in "cde"],
        [0, 0, 0, 1, 1, 1], "clusters/1",
    ),
    "some are known": ([{"subject": "a"}, {}, {"clip": "a"}, {"subject": "a"}, {"clip": "a"}, {}],
                       [0, 1, 2, 0, 2, 3], "clusters/1"),
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_frames_of_one_subject_or_else_of_one_clip_are_one_cluster(name):
    samples, clusters, rule = KNOWN[name]
    assert cluster_of_frames(samples).tolist() == clusters
    assert compared([1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 1, 0], samples).rule == rule


def test_frames_that_stand_alone_are_counted():
    parity = compared([1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 1, 0], [{}] * 6)
    assert parity.inputs == {"only_reference_right": 2, "only_candidate_right": 1, "frames": 6}
    assert parity.loss_points == pytest.approx(100 / 6)
    assert parity.flips == 3


def test_frames_of_subjects_are_summed():
    parity = compared([1, 1, 1, 0, 0, 1], [1, 0, 1, 0, 1, 0], KNOWN["subjects"][0])
    assert parity.inputs == {"losses": [0, 2, -1], "weights": [3, 2, 1], "frames": 6, "discordant": [2, 1]}


def test_many_clusters_are_gathered_with_their_neighbours():
    random = np.random.default_rng(0)
    parent, variant = random.integers(0, 2, (2, 1200))
    samples = [{"clip": str(index // 2)} for index in range(1200)]
    inputs = compared(parent, variant, samples).inputs
    assert inputs["weights"] == [6] * MOST_CLUSTERS
    assert inputs["losses"] == (parent - variant).reshape(-1, 6).sum(axis=1).tolist()


patterns = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=2, max_size=40)


@settings(max_examples=40, deadline=None)
@given(patterns, st.randoms(use_true_random=False))
def test_the_order_of_frames_means_nothing_for_loss_and_flips(rows, random):
    shuffled = random.sample(rows, len(rows))
    first, second = (
        compared([a for a, _, _ in some], [b for _, b, _ in some], [{"subject": str(s)} for *_, s in some])
        for some in (rows, shuffled)
    )
    assert first.loss_points == pytest.approx(100 * np.mean([a - b for a, b, _ in np.array(rows, int)]))
    assert (first.loss_points, first.flips) == pytest.approx((second.loss_points, second.flips))
    assert first.flips == sum(a != b for a, b, _ in rows)


def boxes(random, frames, missed):
    """Truths of one or two faces, and what finds them except for a share that is missed."""
    truths, found = [], []
    for _ in range(frames):
        corners = np.float32([[4, 4], [40, 4]])[: random.integers(1, 3)]
        truths.append(np.hstack([corners, corners + 16, np.zeros((len(corners), 1))]).astype(np.float32))
        seen = corners[random.random(len(corners)) >= missed]
        scores = random.uniform(0.3, 1, (len(seen), 1))
        found.append(np.hstack([seen, seen + 16, scores, np.zeros_like(scores)]).astype(np.float32))
    return truths, found


def test_a_score_that_is_no_mean_is_taken_of_random_drawings_of_subjects():
    truths, parent = boxes(np.random.default_rng(1), 300, 0.05)
    variant = [one[: max(len(one) - (index % 5 == 0), 0)] for index, one in enumerate(parent)]
    parity = compare_with_parent(FACES, parent, variant, truths, subjects(300, 12))
    old, new = (FACES.score(one, truths).value for one in (parent, variant))
    losses = parity.inputs["losses"]
    assert (parity.rule, parity.inputs["clusters"], parity.inputs["resamples"]) == ("resamples/1", 12, RESAMPLES)
    assert parity.loss_points == pytest.approx(old - new)
    assert losses == sorted(losses)
    assert np.mean(losses) == pytest.approx(parity.inputs["loss"], abs=0.02)
    assert decision(parity) == "fail"


def test_a_drawing_without_any_truth_is_missing_and_leaves_all_open():
    truths = [BOX[:, [0, 1, 2, 3, 5]]] * 20 + [np.zeros((0, 5), np.float32)] * 380
    samples = [{"subject": str(index // 20)} for index in range(400)]
    parity = compare_with_parent(FACES, [BOX] * 400, [BOX] * 400, truths, samples)
    assert len(parity.inputs["losses"]) < RESAMPLES
    assert decision(parity, margin=0.5) == "unknown"


def test_a_score_of_the_users_own_is_taken_of_fewer_drawings_and_of_no_slice():
    task = open_task(TaskSpec("custom", CUSTOM), InputSpec(64, 32))
    pattern = np.arange(100) % 10 > 0
    samples = subjects(100, 10, slices={"light": "dark"})
    parity = compare_with_parent(task, [RIGHT] * 100, right_where(pattern), [TRUTH] * 100, samples)
    assert (parity.rule, parity.inputs["resamples"], parity.slices) == ("resamples/1", OWN_SCORE_RESAMPLES, {})
    assert parity.loss_points == pytest.approx(10)


def graded(predictions, truths):
    grades = np.array([float(one[0, 0]) for one in predictions])
    return Score("grade", 100 * float(grades.mean()), 0.0, grades, {})


def test_a_score_that_grades_each_frame_is_judged_by_clusters_even_where_frames_stand_alone():
    task = open_task(TaskSpec("custom", {**CUSTOM, "score_function": f"{__name__}:graded"}), InputSpec(64, 32))
    parity = compare_with_parent(task, [RIGHT] * 6, [WRONG, *[RIGHT] * 5], [TRUTH] * 6, [{}] * 6)
    assert (parity.rule, parity.inputs["discordant"]) == ("clusters/1", None)
    assert parity.inputs["losses"] == pytest.approx([0.7, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("task", [EYES, FACES], ids=["classification", "detection"])
def test_a_loss_in_one_slice_is_found_there_and_nowhere_else(task):
    random = np.random.default_rng(2)
    truths, parent = (
        boxes(random, 400, 0.02) if task is FACES else ([TRUTH] * 400, right_where(random.random(400) < 0.9))
    )
    dark = np.arange(400) % 4 == 0
    worse = np.zeros((0, 6), np.float32) if task is FACES else WRONG
    variant = [worse if one and index % 3 == 0 else parent[index] for index, one in enumerate(dark)]
    samples = [
        {"subject": f"s{index // 20}", "slices": {"light": "dark" if one else "day", "glasses": "none"}}
        for index, one in enumerate(dark)
    ]
    slices = compare_with_parent(task, parent, variant, truths, samples).slices
    assert list(slices) == ["glasses=none", "light=dark", "light=day"]
    assert (slices["light=dark"].significant, slices["light=day"].significant) == (True, False)
    assert slices["light=dark"].loss_points > 15
    assert (slices["light=day"].loss_points, slices["light=day"].p_value) == (0, 1)
    assert {name: one.frames for name, one in slices.items()} == {
        "glasses=none": 400, "light=dark": 100, "light=day": 300,
    }  # fmt: skip


def test_a_gain_in_a_slice_is_no_finding():
    samples = [{"slices": {"light": "dark"}}] * 60
    found = compared([0] * 30 + [1] * 30, [1] * 60, samples).slices["light=dark"]
    assert (found.loss_points, found.significant) == (-50, False)


def test_a_slice_for_which_the_score_means_nothing_is_left_out():
    truth, none = BOX[:, [0, 1, 2, 3, 5]], np.zeros((0, 5), np.float32)
    samples = [{"slices": {"seat": "taken" if index < 5 else "empty"}} for index in range(10)]
    parity = compare_with_parent(FACES, [BOX] * 10, [BOX] * 10, [truth] * 5 + [none] * 5, samples)
    assert list(parity.slices) == ["seat=taken"]


@pytest.mark.parametrize("name", ["classification", "detection"])
def test_the_same_frames_give_the_same_numbers_again(name):
    random = np.random.default_rng(3)
    if name == "detection":
        task, (truths, parent) = FACES, boxes(random, 60, 0.1)
        variant = [one[1:] if index % 7 == 0 else one for index, one in enumerate(parent)]
    else:
        task, truths = EYES, [TRUTH] * 60
        parent, variant = (right_where(random.integers(0, 2, 60)) for _ in range(2))
    samples = subjects(60, 6, slices={"light": "dark"})
    assert compare_with_parent(task, parent, variant, truths, samples) == compare_with_parent(
        task, parent, variant, truths, samples
    )


@pytest.mark.parametrize("name", ["classification", "detection", "custom"])
@pytest.mark.parametrize(("parent", "variant", "truths"), [(3, 4, 4), (4, 3, 4), (0, 0, 0)])
def test_frames_without_partner_are_refused(name, parent, variant, truths):
    options, prediction, truth, _ = TASKS[name]
    task = open_task(TaskSpec(name, options), InputSpec(64, 32))
    with pytest.raises(DatasetError, match=r"predictions for|no frame to score"):
        compare_with_parent(task, [prediction] * parent, [prediction] * variant, [truth] * truths, [{}] * truths)


def test_a_condition_in_which_the_variant_is_worse_is_told_and_the_others_are_not():
    frames = 400
    samples = [{"slices": {"light": "dark" if index % 4 == 0 else "day"}} for index in range(frames)]
    worse_in_the_dark = [0 if index % 8 == 0 else 1 for index in range(frames)]
    (sentence,) = slice_advice("case", compared([1] * frames, worse_in_the_dark, samples))
    assert sentence.startswith("case: loses 50 points where light=dark (100 frames, p ")
    assert sentence.endswith("over 2 slices): advice")
    assert slice_advice("case", compared([1] * frames, [1] * frames, samples)) == []
