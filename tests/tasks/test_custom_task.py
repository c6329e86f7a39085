from __future__ import annotations

import numpy as np
import pytest

from harness.errors import ConfigError, EngineError
from harness.tasks import Score

MODULE = __name__
CONSTANT = 3


def first_output(outputs, geometry):
    return next(iter(outputs.values())) * geometry.scale_x


def as_lists(outputs, geometry):
    return [[1, 2], [3, 4]]


def one_axis(outputs, geometry):
    return np.zeros(3)


def no_table(outputs, geometry):
    return {"boxes": 3}


def ragged(outputs, geometry):
    return [[1], [2, 3]]


def failing(outputs, geometry):
    raise KeyError("heatmap")


def speaking(outputs, geometry):
    raise EngineError("the heat map is missing")


def whole_score(predictions, truths):
    return Score("hits", 50.0, 25.0, np.array([1.0, 0.0]), {})


def plain_score(predictions, truths):
    return 62


def no_score(predictions, truths):
    return None


def nan_score(predictions, truths):
    return float("nan")


def custom(opened, function, score_function=None):
    options = {"score_function": f"{MODULE}:{score_function}"} if score_function else {}
    return opened("custom", function=f"{MODULE}:{function}", **options)


@pytest.mark.parametrize(("function", "rows"), [("first_output", [[5, 6]]), ("as_lists", [[1, 2], [3, 4]])])
def test_what_the_function_returns_is_the_prediction(function, rows, opened, unit):
    prediction = custom(opened, function).post({"x": np.array([[5.0, 6.0]])}, unit)
    assert prediction.tolist() == rows
    assert prediction.dtype == np.float32


@pytest.mark.parametrize(
    ("function", "sentence"),
    [
        ("one_axis", r"one_axis returned shape \[3\], wanted two axes"),
        ("no_table", "no_table returned dict, wanted a 2-D array"),
        ("ragged", "ragged returned list, wanted a 2-D array"),
        ("failing", "failing raised KeyError: 'heatmap'"),
        ("absent", "absent cannot be imported, AttributeError"),
        ("CONSTANT", "CONSTANT is not a function"),
    ],
)
def test_a_function_that_fails_is_named(function, sentence, opened, unit):
    with pytest.raises(ConfigError, match=rf"function {MODULE}:{sentence}"):
        custom(opened, function).post({}, unit)


def test_a_module_that_is_not_there_is_named_with_a_remedy(opened, unit):
    with pytest.raises(ConfigError, match=r"no_such.module:f cannot be imported, ModuleNotFoundError.*PYTHONPATH"):
        opened("custom", function="no_such.module:f").post({}, unit)


def test_an_error_of_the_harness_passes_unchanged(opened, unit):
    with pytest.raises(EngineError, match=r"the heat map is missing"):
        custom(opened, "speaking").post({}, unit)


def test_opening_imports_nothing(opened):
    assert opened("custom", function="no_such.module:f")


@pytest.mark.parametrize(
    ("function", "name", "value", "trivial"),
    [("whole_score", "hits", 50, 25), ("plain_score", f"{MODULE}:plain_score", 62, 0)],
)
def test_a_score_function_gives_a_score_or_a_number(function, name, value, trivial, opened):
    score = custom(opened, "as_lists", function).score([np.ones((1, 1))], [np.ones((1, 1))])
    assert (score.name, score.value, score.trivial) == (name, value, trivial)


@pytest.mark.parametrize("function", ["no_score", "nan_score"])
def test_a_score_that_is_no_number_is_refused(function, opened):
    with pytest.raises(ConfigError, match=rf"score_function {MODULE}:{function} returned (None|nan), wanted a Score"):
        custom(opened, "as_lists", function).score([np.ones((1, 1))], [np.ones((1, 1))])


def test_without_a_score_function_there_is_no_score(opened):
    with pytest.raises(ConfigError, match=r"task 'custom' has no score.*score_function"):
        custom(opened, "as_lists").score([np.ones((1, 1))], [np.ones((1, 1))])
