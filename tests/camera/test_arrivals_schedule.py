"""When a camera's frames are due: fixed rates without accumulated rounding, recordings, and what neither can be."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.camera import Arrivals, due_ns, frames_within, period_ns
from harness.camera.schedule import read_timestamps
from harness.errors import ConfigError


@pytest.mark.parametrize(
    ("fps", "frame", "due"),
    [(30.0, 1, 33_333_333), (30.0, 2, 66_666_667), (30.0, 108_000, 3600 * 10**9), (60.0, 216_000, 3600 * 10**9),
     (29.97, 2997, 100 * 10**9), (1.0, 3, 3 * 10**9)],
)  # fmt: skip
def test_a_frame_is_due_at_its_own_multiple_of_the_period(fps, frame, due):
    assert due_ns(Arrivals(fps), frame + 1)[frame] == due


@given(st.floats(1.0, 240.0), st.integers(1, 300_000))
def test_no_rounding_adds_up(fps, frame):
    exact = Fraction(frame) * 10**9 / Fraction(fps)
    assert abs(int(due_ns(Arrivals(fps), frame + 1)[-1]) - exact) <= Fraction(51, 100)


def test_a_recording_starts_again_after_its_last_frame():
    arrivals = Arrivals(timestamps=(0, 30, 70, 100))
    assert due_ns(arrivals, 9).tolist() == [0, 30, 70, 100, 130, 160, 200, 230, 260]
    assert due_ns(arrivals, 2).tolist() == [0, 30]
    assert period_ns(arrivals) == pytest.approx(100 / 3)


@pytest.mark.parametrize(("seconds", "frames"), [(0.0, 1), (0.1, 3), (1.0, 30), (1.01, 31), (600.0, 18_000)])
def test_a_duration_is_so_many_frames(seconds, frames):
    assert frames_within(Arrivals(30.0), seconds) == frames


@pytest.mark.parametrize("fps", [0, 0.0, -30.0, float("nan"), float("inf"), 1e9, 1e-300, "30", None, True])
@pytest.mark.parametrize("asked", [lambda one: due_ns(one, 3), period_ns])
def test_a_rate_that_no_camera_has_is_refused(fps, asked):
    with pytest.raises(ConfigError, match=r"fps = .* is no rate of a camera \(fps\); a number from 0.001 to 1,000,000"):
        asked(Arrivals(fps))


@pytest.mark.parametrize(
    ("timestamps", "said"),
    [((0,), "1 timestamps are no schedule"), ((0, 5_000_000, 5_000_000), "repeats the one ahead of it .*number 2"),
     ((0, 5_000_000, 2_000_000), "is 3 ms before the one ahead of it .*number 2"),
     ((0, 10**19), "more than 30 years")],
)  # fmt: skip
def test_timestamps_that_are_no_schedule_are_refused(timestamps, said):
    with pytest.raises(ConfigError, match=said):
        due_ns(Arrivals(timestamps=timestamps), 3)


@pytest.fixture
def recording(tmp_path):
    def write(text, name="recording.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


RECORDED = (0, 33_400_000, 66_600_000)
GOOD = [
    ("10\n43.4\n76.6\n", "ms"),
    ("# a camera\n\n10\n43.4  # late\n76.6\n", "ms"),
    ("timestamp_ms\n10\n43.4\n76.6\n", ""),
    ("timestamp_ms\n10\n43.4\n76.6\n", "ms"),
    ("frame,time_s\n0,0.01\n1,0.0434\n2,0.0766\n", ""),
    ('"frame";"t_us"\r\n0;10\r\n1;33410\r\n2;66610\r\n', ""),
    ("\ufeffTimestamp_ns\n1000\n33401000\n66601000\n", ""),
    ("1763760000.000000001\n1763760000.033400001\n1763760000.066600001\n", "s"),
    ("[10, 43.4, 76.6]", "ms"),
    ('{"camera": "cabin", "timestamps_ms": [1.0e1, 43.4, 76.6]}', ""),
    ('{"timestamps": [10, 43.4, 76.6]}', "ms"),
]


@pytest.mark.parametrize(("text", "unit"), GOOD)
def test_a_recording_is_read_exactly_from_its_first_frame(recording, text, unit):
    assert read_timestamps(recording(text), unit) == RECORDED


BAD = [
    ("10\n9\n12\n", "ms", r"the timestamp is 1 ms before the one ahead of it \(.*recording.csv, line 2\)"),
    ("10\n# again\n10\n12\n", "ms", r"the timestamp repeats the one ahead of it \(.*recording.csv, line 3\)"),
    ("10\nlater\n12\n", "ms", r"'later' is no number \(.*recording.csv, line 2\)"),
    ("10\nnan\n", "ms", r"'nan' is no number \(.*line 2\)"),
    ("10\n-inf\n", "ms", r"'-inf' is no number \(.*line 2\)"),
    ("10\n1e999999999\n", "ms", r"too large for a timestamp \(.*line 2\); check the unit"),
    ("10\n1e18\n", "s", r"too large for a timestamp \(.*line 2\)"),
    ("frame,time_s\n0,0.01\n1\n", "", r"'' is no number \(.*line 3\)"),
    ("10\n", "ms", r"1 timestamps are no schedule \(.*recording.csv\)"),
    ("", "ms", "0 timestamps are no schedule"),
    ("10\n20\n", "", r"the unit of the timestamps is not known .* s, ms, us, ns"),
    ("10\n20\n", "minutes", "no unit called 'minutes'"),
    ("timestamp_ms\n10\n20\n", "s", "the file says ms and the reader was told s"),
    ("[10, null]", "ms", r"'null' is no number \(.*entry 2\)"),
    ("[10, NaN]", "ms", r"'NaN' is no number \(.*entry 2\)"),
    ("[10, [20]]", "ms", r"is no number \(.*entry 2\)"),
    ("[10, 20, 15]", "ms", r"5 ms before the one ahead of it \(.*entry 3\)"),
    ("[10, 20", "ms", "not JSON"),
    ('{"stamps": [10, 20]}', "ms", "no list called 'timestamps_ms'"),
]


@pytest.mark.parametrize(("text", "unit", "said"), BAD)
def test_a_recording_that_cannot_be_says_which_line(recording, text, unit, said):
    with pytest.raises(ConfigError, match=said):
        read_timestamps(recording(text), unit)


def test_a_recording_that_is_not_there_or_no_text_is_refused(tmp_path):
    (tmp_path / "noise").write_bytes(bytes(range(256)))
    for name in ("nothing", "noise"):
        with pytest.raises(ConfigError, match="the recording is not readable"):
            read_timestamps(tmp_path / name, "ms")


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=50), st.integers(0, 2 * 10**18))
def test_nanoseconds_survive_every_spelling(tmp_path_factory, intervals, first):
    stamps = [first, *(first + np.cumsum(intervals)).tolist()]
    folder = tmp_path_factory.mktemp("recordings")
    (folder / "text").write_text("\n".join(f"{one // 10**9}.{one % 10**9:09d}" for one in stamps), encoding="utf-8")
    (folder / "json").write_text(json.dumps({"timestamps_ns": stamps}), encoding="utf-8")
    wanted = tuple(one - first for one in stamps)
    assert read_timestamps(folder / "text", "s") == read_timestamps(folder / "json") == wanted
