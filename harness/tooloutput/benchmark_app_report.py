"""The reports of OpenVINO's benchmark_app: JSON of the Python and of the C++ tool, CSV with `;`, layer counters.

Their latencies are ms rounded to 0.01; numbers of the Python tool are strings. The reports of the C++ tool are read
after its source: no real one was at hand.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Mapping, Tuple

from harness.tooloutput.figures import Draft, ToolOutput, ToolOutputError, percentile_name

REPORTS = r"\A\s*\{|^Execution results\s*$|^Configuration setup\s*$|^layerName[;,]"
SECTIONS = ("Command line parameters", "Configuration setup", "Execution results", "Group Latencies")
NOT_RUN = re.compile(r"NOT_RUN|OPTIMIZED_OUT|INVALID_STATUS")
PERCENTILE = re.compile(r"latency \((\S+) percentile\) \(ms\)")
COARSE = 0.01
# keys of the Python and the C++ tool, as text and as JSON key: name, unit, statistic
WORDS: Mapping[Tuple[str, str, str], Tuple[str, ...]] = {
    ("read_model", "ms", "once"): ("read model time (ms)", "read_model_time"),
    ("reshape_model", "ms", "once"): ("reshape model time (ms)", "reshape_model_time"),
    ("compile_model", "ms", "once"): ("compile model time (ms)", "load_model_time"),
    ("import_model", "ms", "once"): ("import model time (ms)", "import_model_time"),
    ("first_inference", "ms", "once"): ("first inference time (ms)", "first_inference_time"),
    ("run", "ms", "total"): ("total execution time (ms)", "execution_time"),
    ("inferences", "", "count"): ("total number of iterations", "iterations_num"),
    ("latency", "ms", "median"): ("latency (ms)", "Median latency (ms)"),
    ("latency", "ms", "mean"): ("avg latency", "Average latency (ms)", "latency_avg", "latency_average"),
    ("latency", "ms", "min"): ("min latency", "Min latency (ms)", "latency_min"),
    ("latency", "ms", "max"): ("max latency", "Max latency (ms)", "latency_max"),
    ("throughput", "1/s", "rate"): ("throughput",),
}
KEYS = {word: meaning for meaning, words in WORDS.items() for word in words}
REQUESTS = ("number of parallel infer requests", "nireq")


def read_report(text: str) -> ToolOutput:
    """One report file. ToolOutputError where the JSON is broken or of another tool."""
    draft = Draft("benchmark_app")
    if text.lstrip().startswith("{"):
        _json(draft, text)
    elif re.search(r"^layerName[;,]", text, re.M):
        _counter_rows(draft, text)
    else:
        _csv(draft, text)
    return draft.done()


def _json(draft: Draft, text: str) -> None:
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ToolOutputError(f"the JSON of benchmark_app is broken: {error}") from error
    if "report_type" in report or "avg_performance" in report or "detailed_performance" in report:
        return _counters(draft, report)
    for section in ("cmd_options", "configuration_setup"):
        draft.settings.update({str(key): str(value) for key, value in _mapping(report, section).items()})
    _results(draft, list(_mapping(report, "execution_results").items()))
    for key in report.keys() - {"cmd_options", "configuration_setup", "execution_results"}:
        draft.unread(f"{key}: {report[key]}")
    return None


def _mapping(report: Any, key: str) -> Dict[str, Any]:
    found = report.get(key, {}) if isinstance(report, dict) else {}
    if not isinstance(found, dict):
        raise ToolOutputError(f"{key} of the report is no object but {type(found).__name__}")
    return found


def _results(draft: Draft, rows: List[Tuple[str, Any]]) -> None:
    boundary = next((str(value) for key, value in rows if key.lower().replace(" ", "_") == "percentile_boundary"), "")
    includes, group = _spans(draft), ""
    if any(key == "group" for key, _ in rows) and len({key for key, _ in rows}) == len(rows):
        group = " of the last group"  # the JSON of the Python tool writes every group over the one before
    for key, value in rows:
        if key == "group":
            group = group or f" of group {value}"
        elif key == "group_latencies":
            _groups(draft, value, boundary, includes)
        elif key == "error":
            draft.warn(f"the tool says: {value}")
        elif key.lower().replace(" ", "_") != "percentile_boundary":
            _result(draft, key, value, boundary, group, includes)
    _doubts(draft)


def _result(draft: Draft, key: str, value: Any, boundary: str, group: str, includes: str) -> None:
    percentile = PERCENTILE.fullmatch(key)
    line = f"{key}: {value}"
    if key == "latency_median":
        draft.add(f"latency{group}", value, "ms", _boundary(draft, boundary), includes, line)
    elif percentile:
        draft.add("latency", value, "ms", percentile_name(percentile[1]), includes, line)
    elif key in KEYS:
        name, unit, statistic = KEYS[key]
        latency = name == "latency"
        draft.add(name + group if latency else name, value, unit, statistic, includes if latency else "", line)
    else:
        draft.unread(line)


def _boundary(draft: Draft, boundary: str) -> str:
    if not boundary:
        draft.warn("latency_median holds whatever percentile was asked for, and this report does not say which")
        return "percentile unknown"
    if percentile_name(boundary) != "median":
        draft.warn(f"latency_median is no median here but the percentile {boundary}")
    return percentile_name(boundary)


def _groups(draft: Draft, groups: Any, boundary: str, includes: str) -> None:
    for one in groups if isinstance(groups, list) else [groups]:
        if not isinstance(one, dict):
            draft.unread(f"group_latencies: {one}")
            continue
        group = f" of group {one.get('data_shape', '')}"
        for key, value in one.items():
            if key != "data_shape":
                _result(draft, str(key), value, boundary, group, includes)


def _spans(draft: Draft) -> str:
    requests = next((draft.settings[key] for key in REQUESTS if key in draft.settings), "")
    if requests in ("", "None"):
        return ""
    if requests == "1":
        return "one request at a time"
    draft.warn(f"{requests} requests are in flight: the latency is not that of a single inference")
    return "from start to completion, waiting behind other requests"


def _doubts(draft: Draft) -> None:
    if draft.settings.get("precision") == "UNSPECIFIED":
        draft.warn("precision UNSPECIFIED: on CPUs with AVX512-BF16 the default is bf16; the log names what really ran")
    rounded = [one.value for one in draft.numbers if one.name.startswith("latency")]
    if rounded and min(rounded) < 100 * COARSE:
        worst = 100 * COARSE / 2 / min(rounded)
        draft.warn(f"latencies are rounded to {COARSE} ms, up to {worst:.0f} % of the smallest: take them from the log")


def _csv(draft: Draft, text: str) -> None:
    section, rows = "", []
    for line in text.splitlines():
        key, separator, value = line.partition(";")
        if line.strip() in SECTIONS:
            section = line.strip()
        elif section == "Group Latencies":
            _group_row(draft, line)
        elif separator and section == "Execution results":
            rows.append((key, value))
        elif separator and section:
            draft.settings[key] = value
        else:
            draft.unread(line)
    _results(draft, rows)


def _group_row(draft: Draft, line: str) -> None:
    """Shape;Median;Average;Min;Max, where `Median` is the percentile that was asked for."""
    cells = line.split(";")
    if len(cells) != 5:
        return draft.unread(line)
    if cells[0] != "Data shape":
        for statistic, cell in zip(("percentile asked for", "mean", "min", "max"), cells[1:]):
            draft.add(f"latency of group {cells[0]}", cell, "ms", statistic, _spans(draft), line)
    return None


def _counters(draft: Draft, report: Mapping[str, Any]) -> None:
    average = report.get("avg_performance")
    requests = [average] if average is not None else report.get("detailed_performance")
    if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
        raise ToolOutputError("the counters of the report are no list of objects")
    draft.settings["report_type"] = str(report.get("report_type", "sorted"))
    for one in requests:
        nodes = one.get("nodes")
        for node in nodes if isinstance(nodes, list) else []:
            _node(draft, node)
        draft.add("layers", one.get("total_real_time"), "ms", "once", "sum over the layers")
    _counter_doubts(draft, len(requests))
    if report.get("report_type") == "average" and len(draft.layers) == 1:
        draft.warn("the Python tool writes only the first layer into its average JSON: use detailed_counters or CSV")


def _node(draft: Draft, node: Any) -> None:
    if not isinstance(node, dict):
        return draft.unread(str(node))
    ran = not NOT_RUN.search(str(node.get("status", "")))
    kind, runtime = str(node.get("node_type", "")), str(node.get("exec_type", ""))
    draft.layer(str(node.get("name", "")), node.get("real_time"), "ms", kind, runtime, ran)
    return None


def _counter_rows(draft: Draft, text: str) -> None:
    """Rows of name, status, type, execution, real and CPU time in ms; a header before each request."""
    requests = 0
    for line, cells in _cells(text):
        if cells[0] == "layerName":
            requests += 1
        elif cells[0] == "Total" and len(cells) >= 6:
            draft.add("layers", cells[4], "ms", "once", "sum over the layers", line)
        elif len(cells) >= 6:
            draft.layer(cells[0], cells[4], "ms", cells[2], cells[3], not NOT_RUN.search(cells[1]))
        else:
            draft.unread(line)
    _counter_doubts(draft, requests)


def _cells(text: str) -> Iterator[Tuple[str, List[str]]]:
    separator = ";" if re.search(r"^layerName;", text, re.M) else ","
    for line in text.splitlines():
        if line.strip().strip('"'):
            yield line, line.split(separator)


def _counter_doubts(draft: Draft, requests: int) -> None:
    draft.warn("counters are of the last inference of each request, no average over the run, and slow it down")
    if requests > 1:
        draft.warn(f"the layers of {requests} requests stand one after another")
