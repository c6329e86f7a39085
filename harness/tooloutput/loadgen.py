"""What MLPerf LoadGen writes: mlperf_log_summary.txt; its detail log is read by loadgen_detail.

Format: loadgen/results.cc of mlcommons/inference and mlcommons/mlperf_automotive (Apache-2.0). Latencies are ns.
"""

from __future__ import annotations

import re

from harness.tooloutput.figures import Draft, ToolOutput, normal, percentile_name
from harness.tooloutput.loadgen_detail import SCENARIOS, read_detail, read_system

SPREAD = re.compile(r"(Min|Max|Mean) (group )?latency \(ns\)")
PERCENTILE = re.compile(r"([\d.]+)(?:th)? (group )?percentile latency \(ns\)")
RATES = {
    "QPS w/ loadgen overhead": "throughput", "QPS w/o loadgen overhead": "throughput without loadgen",
    "Completed samples per second": "throughput", "Scheduled samples per second": "scheduled",
    "Scheduled groups per second": "scheduled groups", "Completed groups per second": "completed groups",
    "Samples per second": "throughput",
}  # fmt: skip
ESTIMATE = re.compile(r"\* Early stopping ([\d.]+)th percentile estimate: (\d+)")
PROCESSED = re.compile(r"\* (?:Processed at least (\d+) queries \((\d+)\)|Only processed (\d+) queries)\.")
DISCARDED = re.compile(r"\* Would discard (\d+) highest latency queries\.")
KNOWN = re.compile(
    r"\s*|=+|MLPerf Results Summary|Additional Stats|Test Parameters Used|(?:\w+ )?Early Stopping Result:|"
    r"Recommendations:|Per-query latency:\s*|\s*\* Run successful\.|No (?:warnings|errors) encountered.*"
)
STATISTICS = {"Min": "min", "Max": "max", "Mean": "mean"}


def read_loadgen(text: str) -> ToolOutput:
    """The summary, the detail log, or the file that describes the system of a submission."""
    if re.search(r"^:::MLLOG", text, re.M):
        return read_detail(text)
    if text.lstrip().startswith("{"):
        return read_system(text)
    draft = Draft("loadgen")
    for line in draft.lines(text):
        key, colon, value = (part.strip() for part in line.partition(":"))
        if not (_note(draft, line) or (colon and _pair(draft, key, value, line)) or KNOWN.fullmatch(line)):
            draft.unread(line)
    _doubts(draft)
    return draft.done()


def _note(draft: Draft, line: str) -> bool:
    estimate, processed, discarded = ESTIMATE.search(line), PROCESSED.search(line), DISCARDED.search(line)
    if estimate:
        how = "the order statistic that LoadGen takes, 99 % sure for independent queries"
        draft.add("latency", estimate[2], "ns", f"{percentile_name(estimate[1])} estimate", how, line)
    elif processed:
        draft.add("queries", processed[2] or processed[3], "", "count", "", line)
        if processed[1]:
            draft.settings["queries needed"] = processed[1]
    elif discarded:
        draft.settings["queries discarded"] = discarded[1]
    elif re.match(r"\d+ (?:warning|error)s? encountered", line):
        draft.warn(f"the tool says: {line.strip()}")
    elif line.startswith(" ") and ":" not in line and not KNOWN.fullmatch(line):
        draft.warn(f"the tool says: {line.strip(' *')}")
    else:
        return False
    return True


def _pair(draft: Draft, key: str, value: str, line: str) -> bool:
    spread, percentile = SPREAD.fullmatch(key), PERCENTILE.fullmatch(key)
    scenario = draft.settings.get("Scenario", "")
    if spread or percentile:
        group = spread[2] if spread else percentile[2] if percentile else ""
        spans = "sum over the samples of a group" if group else SCENARIOS.get(scenario, "")
        statistic = STATISTICS[spread[1]] if spread else percentile_name(percentile[1]) if percentile else ""
        draft.add("group latency" if group else "latency", value, "ns", statistic, spans, line)
    elif key in RATES:
        draft.add(RATES[key], value, "1/s", "rate", "over the run", line)
    elif value and re.fullmatch(r"[\w .()]+", key):
        draft.settings[key] = value
    else:
        return False
    return True


def _doubts(draft: Draft) -> None:
    if draft.settings.get("Result is") == "INVALID":
        draft.warn("the run is INVALID by LoadGen's own rules")
    if draft.settings.get("Mode", "PerformanceOnly") != "PerformanceOnly":
        draft.warn(f"mode {draft.settings['Mode']}: its times are no measurement of speed")
    due = normal(draft.settings.get("target_latency (ns)", "0"), "ns")
    slowest = draft.find("latency", "max")
    if draft.settings.get("Result is") == "VALID" and due and due[0] and slowest and slowest > due[0]:
        draft.warn(f"VALID, although the slowest sample took {slowest:.2f} ms where {due[0]:.2f} ms are allowed")
    if any("estimate" in one.statistic for one in draft.numbers):
        draft.warn("early stopping assumes independent queries; latencies of a device are not")
