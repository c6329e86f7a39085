"""What onnxruntime_perf_test prints, in its older ("is 0.05sec", no unit on the total) and its newer dialect.

Format: onnxruntime/test/perftest/performance_runner.cc of microsoft/onnxruntime (MIT). Latencies are in seconds.
"""

from __future__ import annotations

import re
from typing import Mapping, Tuple

from harness.tooloutput.figures import Draft, ToolOutput, percentile_name

LINE = re.compile(
    r"^\s*(?P<key>[A-Za-z][\w ]*?)\s*(?::| is )\s*(?P<value>[\d.]+(?:e[-+]?\d+)?)\s*(?P<unit>[A-Za-z%]*)\s*$"
)
LATENCY = re.compile(r"(Average|Min|Max|P\d+) Latency")
GROUP = re.compile(r"^\s*(?:Shape group (\d+) \(|(\d+)\. )")
HEADING = re.compile(r"^\s*(?:Latency per shape group:|Setting intra_op_num_threads.*|\(no data\))?\s*$")
CALL = "one Run call: copies to and from the device included; the next begins when it ends"
# key: name, the unit where the line tells none, statistic, what it is
KEYS: Mapping[str, Tuple[str, str, str, str]] = {
    "Session creation time cost": ("load", "s", "once", ""),
    "First inference time cost": ("first_inference", "ms", "once", "the warm-up, in whole milliseconds"),
    "Total time cost": ("inference_time", "s", "total", "sum over all calls"),
    "Total inference time cost": ("inference_time", "s", "total", "sum over all calls"),
    "Total iterations": ("inferences", "", "count", ""),
    "Total inference requests": ("inferences", "", "count", ""),
    "Iterations": ("inferences", "", "count", ""),
    "Runs": ("inferences", "", "count", ""),
    "Average time cost": ("latency", "ms", "mean", CALL),
    "Average inference time cost": ("latency", "ms", "mean", CALL),
    "Average inference time cost total": ("latency", "ms", "mean", CALL),
    "Average inference time cost submission": ("submission", "ms", "mean", "until the work is queued, not done"),
    "Total run time": ("run", "s", "total", "from start to end, with what is between the calls"),
    "Total inference run time": ("run", "s", "total", "from start to end, with what is between the calls"),
    "Number of inferences per second": ("throughput", "1/s", "rate", "over the run"),
    "Avg CPU usage": ("cpu_utilisation", "%", "mean", "of all cores"),
    "Peak working set size": ("peak_memory", "bytes", "max", "the whole process"),
}
STATISTICS = {"Average": "mean", "Min": "min", "Max": "max"}


def read_perf_test(text: str) -> ToolOutput:
    """One output; figures of a group of shapes are named `latency of group 1`."""
    draft = Draft("onnxruntime_perf_test")
    group = ""
    for line in draft.lines(text):
        begun, found = GROUP.match(line), LINE.match(line)
        if begun:
            group = f" of group {begun[1] or begun[2]}"
        elif found:
            _figure(draft, found["key"], found["value"], found["unit"], group, line)
        elif not HEADING.match(line):
            draft.unread(line)
    _doubts(draft)
    return draft.done()


def _figure(draft: Draft, key: str, value: str, unit: str, group: str, line: str) -> None:
    latency = LATENCY.fullmatch(key)
    if latency:
        statistic = STATISTICS.get(latency[1]) or _percentile(latency[1])
        draft.add(f"latency{group}", value, unit or "s", statistic, CALL, line)
    elif key in KEYS:
        name, plain, statistic, includes = KEYS[key]
        draft.add(name + group, value, unit or plain, statistic, includes, line)
    else:
        draft.unread(line)


def _percentile(label: str) -> str:
    """P50 is the median, P999 is p99.9."""
    return percentile_name(label[1:3] + "." + label[3:] if len(label) > 3 else label[1:])


def _doubts(draft: Draft) -> None:
    count = next((one.value for one in draft.numbers if one.name == "inferences"), None)
    if count is not None and count < 1000 and any(one.statistic == "p99.9" for one in draft.numbers):
        draft.warn(f"P999 of {count:g} calls is the slowest of them")
    if draft.numbers:
        draft.warn("one warm-up call only: the first timed calls may still be slow")
        draft.warn("the text does not name the provider that ran the nodes: a fallback to the CPU looks the same")
