"""Does the model run where the profile promises, and does it give the answers that it gives on the other engines?"""

import pytest


def test_the_promised_unit_has_its_share_of_the_nodes(check):
    check("placed_share_percent")


def test_the_graph_is_not_cut_into_too_many_pieces(check):
    check("partitions")


@pytest.mark.labelled
def test_answers_agree_with_the_first_engines(check):
    check("engine_flips_percent")
