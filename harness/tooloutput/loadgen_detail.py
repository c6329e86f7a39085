"""LoadGen's mlperf_log_detail.txt (lines of `:::MLLOG` and a JSON object each), and the description of a system."""

from __future__ import annotations

import json
import re
from typing import Any, Match

from harness.tooloutput.figures import Draft, ToolOutput, normal, percentile_name

MARK = ":::MLLOG"
LATENCY = re.compile(r"result_(group_)?(?:(min|max|mean)|([\d.]+)_percentile)_((?:per_)?query_)?latency_ns")
SCENARIOS = {
    "SingleStream": "from issue to completion; the next query is issued at completion, so nothing queues",
    "MultiStream": "a whole query of several samples",
    "Server": "from the scheduled arrival to completion: queueing included",
    "ConstantStream": "from the scheduled arrival to completion: queueing included",
    "Offline": "all samples are issued at once: queueing included",
}
RATES = {
    "result_qps_with_loadgen_overhead": "throughput", "result_completed_samples_per_sec": "throughput",
    "result_qps_without_loadgen_overhead": "throughput without loadgen", "result_samples_per_second": "throughput",
    "result_scheduled_samples_per_sec": "scheduled",
}  # fmt: skip
COUNTS = {"result_query_count": "queries", "result_overlatency_query_count": "queries over the target"}
# The endings stand for single-stream and multi-stream; both are in ns.
ESTIMATES = {
    "early_stopping_latency_ss": "estimate at the target percentile",
    "early_stopping_latency_ms": "p99 estimate",
}
SCENARIO = re.compile(r"^(?:server|single_stream|multi_stream|constant_stream|offline)_")


def read_detail(text: str) -> ToolOutput:
    """The log; every key that is no result is a setting, a later value beside the first where they differ."""
    draft = Draft("loadgen")
    for line in text.splitlines():
        entry = _entry(line)
        if entry is None:
            draft.unread(line[:200])
        else:
            _take(draft, str(entry["key"]), entry["value"], entry.get("metadata"))
    _doubts(draft)
    return draft.done()


def read_system(text: str) -> ToolOutput:
    """The description of a system under test: settings alone. ValueError where it is no JSON object."""
    described = json.loads(text)
    if not isinstance(described, dict):
        raise ValueError("it is no JSON object")
    draft = Draft("loadgen")
    draft.settings.update({str(key): str(value) for key, value in described.items() if value not in ("", None)})
    return draft.done()


def _entry(line: str) -> Any:
    try:
        entry = json.loads(line[len(MARK) :]) if line.startswith(MARK) else None
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) and {"key", "value"} <= entry.keys() else None


def _take(draft: Draft, key: str, value: Any, metadata: Any) -> None:
    said = metadata if isinstance(metadata, dict) else {}
    latency, line = LATENCY.fullmatch(key), f"{key}: {value}"
    if said.get("is_error") or said.get("is_warning"):
        draft.warn(f"the tool says: {line}")
    elif latency:
        _latency(draft, latency, value, line)
    elif key in RATES:
        draft.add(RATES[key], value, "1/s", "rate", "over the run", line)
    elif key in COUNTS:
        draft.add(COUNTS[key], value, "", "count", "", line)
    elif key in ESTIMATES:
        draft.add("latency", value, "ns", ESTIMATES[key], "", line)
    else:
        _setting(draft, key, value)


def _latency(draft: Draft, found: Match[str], value: Any, line: str) -> None:
    scenario = draft.settings.get("effective_scenario", "")
    statistic = found[2] or percentile_name(found[3])
    if found[1]:
        draft.add("group latency", value, "ns", statistic, "sum over the samples of a group", line)
    elif scenario == "MultiStream" and not found[4]:
        draft.add("sample latency", value, "ns", statistic, "one sample of a query", line)
    else:
        draft.add("latency", value, "ns", statistic, SCENARIOS.get(scenario, ""), line)


def _setting(draft: Draft, key: str, value: Any) -> None:
    shown = value if isinstance(value, str) else json.dumps(value)
    if key == "loadgen_version":
        draft.version = shown
    known = draft.settings.get(key)
    draft.settings[key] = shown if known in (None, shown) else f"{known}; {shown}"


def _doubts(draft: Draft) -> None:
    """Where LoadGen did not do what it was asked to, and what it found wrong."""
    effective = {
        key[len("effective_") :]: value for key, value in draft.settings.items() if key.startswith("effective_")
    }
    for key, asked in draft.settings.items():
        name = SCENARIO.sub("", key[len("requested_") :]) if key.startswith("requested_") else ""
        if name in effective and _differ(asked, effective[name]):
            draft.warn(f"{name}: {asked} was requested, {effective[name]} is in effect")
    if draft.settings.get("result_validity") == "INVALID":
        draft.warn("the run is INVALID by LoadGen's own rules")


def _differ(asked: str, used: str) -> bool:
    numbers = normal(asked, ""), normal(used, "")
    return numbers[0] != numbers[1] if all(numbers) else asked != used
