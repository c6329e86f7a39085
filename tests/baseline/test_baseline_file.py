"""A baseline file: what goes in comes out, the bytes are the same every time, and a diff of it reads."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.baseline import BaselineError, baseline_path, read_baseline, session_logs, write_baseline
from harness.case import Case
from harness.metrics import METRICS
from tests.baseline.baselines import CASE, baseline, path_in, session

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
tables = st.dictionaries(st.text(), scalars, max_size=4)
times = st.datetimes().map(lambda at: f"{at:%Y}".zfill(4) + f"{at:-%m-%dT%H:%M:%SZ}")
names = st.sets(st.sampled_from(sorted(METRICS)), min_size=1, max_size=4)
bands = st.dictionaries(st.text(), scalars | st.tuples(st.integers(-9, 9), st.floats(9, 99)), max_size=4)


@st.composite
def values(draw, metric):
    """As exact as the file holds them: nanoseconds, bytes, or four digits."""
    if METRICS[metric].unit in ("ms", "MB"):
        return draw(st.integers(1, 10**15)) / 1e6
    return float(f"{draw(st.floats(1e-6, 1e9)):.4g}")


@st.composite
def baselines(draw):
    metrics = draw(names)
    known = {metric: st.lists(values(metric), min_size=1, max_size=3).map(tuple) for metric in metrics}
    each = st.builds(
        replace, st.just(session()), at=times, unit=st.text(), values=st.fixed_dictionaries(known), context=tables,
        provenance=tables,
    )  # fmt: skip
    return baseline(
        accepted_at=draw(times), accepted_by=draw(st.text(min_size=1)), reason=draw(st.text(min_size=1)),
        commit=draw(st.text()), identity=draw(tables), context=draw(bands), advice=tuple(sorted(draw(names))),
        sessions=tuple(draw(st.lists(each, min_size=1, max_size=3))),
    )  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=baselines())
def test_what_goes_in_comes_out_and_is_written_with_the_same_bytes_again(one, tmp_path):
    path = path_in(tmp_path)
    write_baseline(path, one)
    first = path.read_bytes()
    assert read_baseline(path) == one
    write_baseline(path, read_baseline(path))
    assert path.read_bytes() == first


def test_the_order_in_which_things_are_named_does_not_matter(tmp_path):
    one = baseline(advice=("load_ms", "frame_p95_ms"))
    turned = replace(
        one,
        identity=dict(reversed(one.identity.items())),
        advice=one.advice[::-1],
        sessions=tuple(replace(each, values=dict(reversed(each.values.items()))) for each in one.sessions),
    )
    texts = []
    for each in (one, turned):
        write_baseline(path_in(tmp_path), each)
        texts.append(path_in(tmp_path).read_bytes())
    assert texts[0] == texts[1]


def test_a_session_is_one_line_and_a_number_carries_its_unit_in_its_name(tmp_path):
    path = path_in(tmp_path)
    write_baseline(path, baseline(3))
    text = path.read_text(encoding="ascii")
    assert text.endswith("}\n")
    lines = [json.loads(line.rstrip(",")) for line in text.splitlines() if line.startswith('  {"at"')]
    assert [one["values"] for one in lines] == [
        {"fps_mean": [29.12, 29.5], "frame_p25_ns": [3_400_000 + 10_000 * number, 3_410_000],
         "peak_memory_bytes": [80_500_000, 80_250_000]}
        for number in range(3)
    ]  # fmt: skip
    assert re.search(r'^ "identity": \{\n  "clocks": true,\n  "cores": 6,\n', text, re.MULTILINE)


def test_one_more_session_changes_its_line_and_the_digest_and_nothing_else(tmp_path):
    path = path_in(tmp_path)
    lines = []
    for sessions in (3, 4):
        write_baseline(path, baseline(sessions))
        lines.append([line.rstrip(",") for line in path.read_text().splitlines()])
    gone, new = (set(lines[0]) - set(lines[1]), set(lines[1]) - set(lines[0]))
    assert [line.split(":")[0].strip() for line in gone] == ['"digest"']
    assert sorted(line.split(":")[0].strip() for line in new) == ['"digest"', '{"at"']


@pytest.mark.parametrize(
    ("metric", "given", "kept"),
    [
        ("frame_p25_ms", 3.4000004, 3.4),
        ("frame_p25_ms", 0.000001, 0.000001),
        ("peak_memory_mb", 80.5000009, 80.500001),
        ("fps_mean", 29.12345, 29.12),
        ("frame_p99_over_p50", 1.23456, 1.235),
        ("fps_mean", 123_456.0, 123_500.0),
    ],
)
def test_a_number_is_kept_to_a_nanosecond_a_byte_or_four_digits(tmp_path, metric, given, kept):
    path = path_in(tmp_path)
    write_baseline(path, baseline(sessions=(session(0, **{metric: (given,)}),)))
    assert read_baseline(path).sessions[0].values == {metric: (kept,)}


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_keeps_its_name_and_its_numbers(tmp_path, metric):
    path = path_in(tmp_path)
    write_baseline(path, baseline(sessions=(session(0, **{metric: (1.234, 5.678)}),), advice=(metric,)))
    assert read_baseline(path).sessions[0].values == {metric: (1.234, 5.678)}
    assert read_baseline(path).advice == (metric,)


def test_no_file_is_no_baseline(tmp_path):
    assert read_baseline(path_in(tmp_path)) is None
    assert read_baseline(baseline_path(tmp_path / "nowhere", CASE)) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sessions": ()}, "sessions is no list of objects, or empty"),
        ({"sessions": (session(0, frame_p25_ms=()),)}, "frame_p25_ns is no list of whole numbers above 0"),
        ({"sessions": (session(0, frame_p25_ms=(0.0,)),)}, "frame_p25_ns is no list of whole numbers above 0"),
        ({"sessions": (session(0, model_memory_mb=(-1.5,)),)}, "model_memory_bytes is no list of whole numbers"),
        ({"sessions": (session(0, frame_p25_ms=(float("nan"),)),)}, "cannot become a baseline"),
        ({"sessions": (session(0, frame_p25_ms=(float("inf"),)),)}, "cannot become a baseline"),
        ({"sessions": (session(0, fps_mean=(float("inf"),)),)}, "cannot become a baseline"),
        ({"sessions": (session(), session(1, fps_mean=(1.0,)))}, "not the metrics of the first session: frame_p25_ms"),
        ({"identity": {"x": [1]}}, "identity.x is no text"),
        ({"identity": {"x": {1}}}, "cannot become a baseline"),
        ({"context": {"x": (2, 1)}}, "context.x is neither a plain value nor a band"),
        ({"accepted_at": "yesterday"}, "accepted.at is no UTC time"),
        ({"accepted_by": ""}, "accepted.by is no text"),
        ({"reason": ""}, "accepted.reason is no text"),
        ({"advice": ("speed",)}, "no metric of this version"),
        ({"case": replace(CASE, variant="fp32")}, "accepted for orin/eyes/fp32/trt and stands under another name"),
    ],
)
def test_what_could_not_be_read_again_is_never_written(tmp_path, changes, said):
    path = path_in(tmp_path)
    write_baseline(path, baseline())
    before = path.read_bytes()
    with pytest.raises(BaselineError, match=said):
        write_baseline(path, baseline(**changes))
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


parts = st.text(max_size=9) | st.sampled_from(["..", ".", "", "/", "a/../..", "a\0", "\\", "previous", "/etc"])


@given(st.builds(Case, parts, parts, parts, parts))
def test_no_case_leads_out_of_the_folder(tmp_path_factory, case):
    folder = tmp_path_factory.getbasetemp() / "baselines"
    try:
        path = baseline_path(folder, case)
    except BaselineError:
        return
    assert path.resolve().parents[2] == folder.resolve()
    assert path.name == f"{case.variant}.{case.runtime}.json"


@pytest.mark.parametrize(
    "case",
    [
        Case("..", "eyes", "int8", "trt"), Case("orin", "..", "int8", "trt"), Case("orin", "../..", "int8", "trt"),
        Case("/etc", "eyes", "int8", "trt"), Case("", "eyes", "int8", "trt"), Case("orin", "eyes", "", "trt"),
        Case("orin", "eyes", "int8", "../x"), Case("orin", "eyes", "a\0", "trt"), Case("orin", "eyes", "a", "b\\c"),
        Case("orin", "eyes", "int8.trt", "previous"),
    ],
)  # fmt: skip
def test_a_name_that_is_no_name_of_a_file_is_refused(tmp_path, case):
    with pytest.raises(BaselineError, match=r"cannot name a file.*use letters, digits"):
        baseline_path(tmp_path, case)


def test_a_linked_folder_that_leads_elsewhere_is_refused_and_a_linked_root_is_not(tmp_path):
    (tmp_path / "elsewhere" / "eyes").mkdir(parents=True)
    (tmp_path / "baselines").mkdir()
    (tmp_path / "baselines" / "orin").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BaselineError, match="cannot name a file"):
        baseline_path(tmp_path / "baselines", CASE)
    (tmp_path / "root").symlink_to(tmp_path / "elsewhere")
    path = baseline_path(tmp_path / "root", replace(CASE, device="eyes"))
    write_baseline(path, baseline(case=replace(CASE, device="eyes")))
    assert read_baseline(path) is not None


def test_a_session_counts_by_the_mean_of_its_logs_and_larger_is_worse():
    one = session(0, frame_p25_ms=(1.0, 4.0), fps_mean=(10.0, 40.0))
    assert session_logs([one], "frame_p25_ms") == pytest.approx([0.693147], abs=1e-6)
    assert session_logs([one], "fps_mean") == pytest.approx([-2.995732], abs=1e-6)


def test_the_example_in_the_guide_is_a_file_that_the_harness_writes(tmp_path, checkout):
    guide = (checkout / "docs" / "baselines.md").read_text(encoding="utf-8")
    example = re.search(r"```json\n(.*?)```", guide, re.DOTALL).group(1)
    path = path_in(tmp_path)
    path.write_text(example, encoding="utf-8")
    write_baseline(path, read_baseline(path))
    assert path.read_text(encoding="utf-8") == example
