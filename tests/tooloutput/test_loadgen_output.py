"""MLPerf LoadGen: the summary, the detail log, and its rule of early stopping."""

from __future__ import annotations

from pathlib import Path

import pytest
import tool_texts
from scipy.stats import binom

from harness.tooloutput import ToolOutputError, read_output


def test_the_summary_is_read_through_its_irregular_spaces() -> None:
    output = read_output(tool_texts.LOADGEN_SUMMARY)
    told = {(one.name, one.statistic): one.value for one in output.numbers}
    assert told == {
        ("throughput", "rate"): 30.0, ("scheduled", "rate"): 30.0, ("latency", "p99.9"): 8.5,
        ("latency", "p99.9 estimate"): 8.75, ("latency", "min"): 7.0, ("latency", "max"): 91.0,
        ("latency", "mean"): 7.25, ("latency", "median"): 7.2, ("group latency", "mean"): 72.5,
    }  # fmt: skip
    assert output.settings["Scenario"] == "ConstantStream"
    assert output.settings["Result is"] == "VALID"
    assert output.settings["min_query_count"] == "100000"
    assert not [one for one in output.warnings if one.startswith("not understood")]


def test_a_valid_run_with_a_late_sample_is_doubted() -> None:
    warnings = read_output(tool_texts.LOADGEN_SUMMARY).warnings
    assert "VALID, although the slowest sample took 91.00 ms where 33.33 ms are allowed" in warnings
    assert "the tool says: 1 error encountered. See detailed log." in warnings


@pytest.mark.parametrize(
    ("scenario", "spans"),
    [
        ("SingleStream", "nothing queues"), ("Server", "queueing included"), ("Offline", "queueing included"),
        ("MultiStream", "a whole query of several samples"),
    ],
)  # fmt: skip
def test_what_the_latency_spans_depends_on_the_scenario(scenario: str, spans: str) -> None:
    output = read_output(tool_texts.LOADGEN_SUMMARY.replace("ConstantStream", scenario))
    (latency,) = [one for one in output.numbers if (one.name, one.statistic) == ("latency", "mean")]
    assert spans in latency.includes


@pytest.mark.parametrize(
    ("old", "new", "doubt"),
    [
        ("VALID", "INVALID", "the run is INVALID by LoadGen's own rules"),
        ("PerformanceOnly", "AccuracyOnly", "mode AccuracyOnly: its times are no measurement of speed"),
        (" * Run successful.",
         " * Only processed 30 queries.\n * Need to process at least 662 queries for early stopping.",
         "the tool says: Need to process at least 662 queries for early stopping."),
        (": 7250000", ": fast", "not understood: Mean latency (ns)               : fast"),
    ],
)  # fmt: skip
def test_a_changed_line_is_told(old: str, new: str, doubt: str) -> None:
    assert doubt in read_output(tool_texts.LOADGEN_SUMMARY.replace(old, new, 1)).warnings


def test_the_detail_log_tells_what_was_asked_and_what_was_done() -> None:
    output = read_output(tool_texts.LOADGEN_DETAIL)
    assert output.version == "9.1 @ abc"
    told = {(one.name, one.statistic): one.value for one in output.numbers}
    assert told == {
        ("queries", "count"): 1000, ("scheduled", "rate"): 30.5, ("latency", "p99 estimate"): 9.25,
        ("latency", "min"): 7.0, ("latency", "p99.9"): 8.5,
    }  # fmt: skip
    assert output.warnings[:1] == ("the tool says: error_runtime: it broke",)
    assert "target_latency_ns: 50000000 was requested, 33333333 is in effect" in output.warnings
    assert "the run is INVALID by LoadGen's own rules" in output.warnings


@pytest.mark.parametrize("line", [":::MLLOG {", ":::MLLOG 5", ':::MLLOG {"key": "x"}', "garbage"])
def test_a_broken_entry_of_the_detail_log_is_kept(line: str) -> None:
    output = read_output(f"{tool_texts.LOADGEN_DETAIL}\n{line}\n")
    assert f"not understood: {line}" in output.warnings
    assert output.find("latency", "min") == 7.0


def test_the_samples_of_a_multi_stream_query_are_not_its_latency() -> None:
    text = "\n".join(
        f':::MLLOG {{"key": "{key}", "value": {value}}}'
        for key, value in (
            ("effective_scenario", '"MultiStream"'),
            ("result_99.00_percentile_per_query_latency_ns", "8000000"),
            ("result_max_query_latency_ns", "9000000"),
            ("result_99.00_percentile_latency_ns", "2000000"),
        )
    )
    output = read_output(text)
    assert output.find("latency", "p99") == 8.0
    assert output.find("latency", "max") == 9.0
    assert output.find("sample latency", "p99") == 2.0


def test_a_description_of_a_system_is_settings_alone() -> None:
    output = read_output('{"accelerator_model_name": "NPU 9", "host_networking": "", "number_of_nodes": 1}')
    assert output.settings == {"accelerator_model_name": "NPU 9", "number_of_nodes": "1"}
    with pytest.raises(ToolOutputError, match="cannot be read as output of loadgen"):
        read_output('{"accelerator_model_name": ')


def fewest_queries(over: int, share: float, confidence: float = 0.99) -> int:
    """The smallest n at which `over` slow queries still prove the percentile, by the binomial rule."""
    low, high = over, 100 * (over + 1) * round(1 / (1 - share))
    while high - low > 1:
        middle = (low + high) // 2
        proven = binom.cdf(over, middle, 1 - share) <= 1 - confidence
        low, high = (low, middle) if proven else (middle, high)
    return high


@pytest.mark.parametrize(
    ("over", "share", "queries"),
    [(0, 0.9, 44), (1, 0.99, 662), (10, 0.99, 2010), (1, 0.999, 6636), (50, 0.999, 69058)],
)
def test_the_rule_of_early_stopping_needs_the_published_number_of_queries(
    over: int, share: float, queries: int
) -> None:
    assert fewest_queries(over, share) == queries


@pytest.mark.parametrize(
    ("file", "queries", "discarded"),
    [("thorx_bevformer_singlestream", 116690, 90), ("intel_spr_ssd_singlestream", 6636, 0)],
)
def test_the_printed_discards_follow_from_the_rule(captures: Path, file: str, queries: int, discarded: int) -> None:
    output = read_output(captures / "mlperf" / f"{file}_mlperf_log_summary.txt")
    assert output.find("queries", "count") == queries
    assert output.settings["queries discarded"] == str(discarded)
    assert output.settings["queries needed"] == "6636" == str(fewest_queries(1, 0.999))
    assert fewest_queries(discarded + 1, 0.999) <= queries < fewest_queries(discarded + 2, 0.999)
