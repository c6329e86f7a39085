"""Does the model still solve its task, and how much did a variant lose against the one it was made from?"""

import pytest

pytestmark = pytest.mark.labelled


def test_task_is_solved(check):
    check("accuracy_min_percent")


@pytest.mark.derived
def test_loss_against_parent_is_within_budget(check):
    check("accuracy_loss_points")


@pytest.mark.derived
def test_answers_agree_with_the_parents(check):
    check("label_flips_percent")
