from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ConfigError


def test_each_output_is_summed_up_in_order_of_its_name(opened, unit):
    row = opened("raw").post({"b": np.float32([[4]]), "a": np.float32([[1, 2, 6]])}, unit)
    assert row.tolist() == [[3, 3, 1, 6, 1, 4, 4, 4]]


def test_an_empty_output_is_zero(opened, unit):
    assert opened("raw").post({"detections": np.zeros((0, 7))}, unit).tolist() == [[0, 0, 0, 0]]


def test_there_is_no_score_and_the_remedy_is_named(opened):
    with pytest.raises(ConfigError, match=r"task 'raw' has no score.*'custom'"):
        opened("raw").score([], [])
