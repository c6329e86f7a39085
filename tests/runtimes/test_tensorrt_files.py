"""Headers of engine files and shapes of profiles, whatever they hold."""

from __future__ import annotations

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import EngineError
from harness.runtimes.tensorrt_options import BuildOptions
from harness.runtimes.tensorrt_plan import check_plan, plan_version


def plan(version, payload, serialisation=0):
    content = bytes([*version, 0]) + payload
    return b"ftrt" + struct.pack("<IIIQ", serialisation, 1, 2, len(content)) + content


NUMBERS = st.tuples(*[st.integers(0, 255)] * 3)


@given(NUMBERS, st.binary(max_size=40))
def test_a_whole_plan_of_this_version_passes_and_every_shorter_one_is_refused(version, payload):
    content = plan(version, payload)
    assert plan_version(content) == version
    check_plan(content, version, "x.engine")
    for length in range(len(content)):
        with pytest.raises(EngineError, match=r"x\.engine"):
            check_plan(content[:length], version, "x.engine")


@given(NUMBERS, NUMBERS)
def test_a_plan_of_another_version_is_refused_with_both(version, other):
    content = plan(version, b"layers")
    if version == other:
        check_plan(content, other, "x.engine")
    else:
        with pytest.raises(EngineError, match=".".join(map(str, version))):
            check_plan(content, other, "x.engine")


@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_pass_or_are_refused(content, tagged):
    # Any other error than the adapter's own fails the test.
    with contextlib.suppress(EngineError):
        check_plan(b"ftrt" + content if tagged else content, (10, 3, 0), "x.engine")


def test_a_longer_file_than_the_header_tells_is_left_to_tensorrt():
    check_plan(plan((10, 3, 0), b"layers") + b"more", (10, 3, 0), "x.engine")


SHAPE = st.lists(st.integers(1, 4000), min_size=1, max_size=5)


@given(SHAPE, st.integers(0, 5), st.integers(0, 5))
def test_three_shapes_that_grow_are_read(least, more, most):
    best, largest = [one + more for one in least], [one + more + most for one in least]
    words = ", ".join("x".join(map(str, one)) for one in (least, best, largest))
    assert BuildOptions(shapes={"image": words}).profile_shapes() == {
        "image": (tuple(least), tuple(best), tuple(largest))
    }


@given(st.text(alphabet="0123x, -a", max_size=20))
def test_any_words_for_a_shape_are_read_or_refused(words):
    with contextlib.suppress(EngineError):
        (three,) = BuildOptions(shapes={"image": words}).profile_shapes().values()
        assert len({len(one) for one in three}) == 1
