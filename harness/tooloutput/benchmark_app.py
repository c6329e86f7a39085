"""What OpenVINO's benchmark_app prints, Python and C++; its reports are read by benchmark_app_report.

Format: samples/cpp/benchmark_app and tools/benchmark of openvinotoolkit/openvino (Apache-2.0). The unit of a latency
switches between us and ms with the average.
"""

from __future__ import annotations

import re
from typing import Callable, List, Match, Pattern, Tuple

from harness.tooloutput.benchmark_app_report import REPORTS, read_report
from harness.tooloutput.figures import Draft, Rule, ToolOutput, percentile_name

PREFIX = re.compile(r"^\[ (INFO|WARNING|ERROR|DEBUG) \] ?")
STEP_10 = re.compile(r"^\[Step 10/\d+\].*\(Start inference (sync|async)hronously(?:, (\d+) inference requests)?")
CHATTER = re.compile(
    r"\[Step \d+/\d+\].*|Parsing input parameters|OpenVINO:?|Device info:?|Loading model files|\s*|"
    r"Original model I/O param\w+:|Model (?:inputs|outputs):|Network (?:inputs|outputs):|.* \(node: .*\) : .*|Model:|"
    r"Reshaping model: .*|Skipping the step.*|Fill input .*|Latency:|(?:Performance c|C)ount(?:er)?s.* is stored to .*|"
    r"Performance counts (?:sorted )?for .*|Total CPU time: .*|Total proportion: .*|"
    r"Statistics report is stored to .*|Performance counters report is stored to .*|Sorted performance counters .*|"
    r"Defined \d+ tensor groups:|Latency for each data shape group:|First inference took .*|[A-Z]+(?:\.\d+)?|"
    r"Prepare image .*|Test Config \d+|.* \(.*\)\s+\[.*\]\s+.*"
)
LATENCY = re.compile(r"\s+(Median|Average|Min|Max|\d+ percentile):\s+(\S+) (\w+|\u00b5s)")
COUNTER = re.compile(
    r"(\S.*?)\s+(?:Status\.)?(NOT_RUN|OPTIMIZED_OUT|EXECUTED)\s+layerType:\s*(\S+)\s+execType:\s*(\S+)\s+"
    r"realTime \(ms\):\s*(\S+)\s+cpuTime \(ms\):.*"
)
FIGURES = (
    Rule(re.compile(r"(?P<what>Read|Compile|Import|Reshape) model took (?P<value>\S+) (?P<unit>\S+)"),
         "{}_model", "once"),
    Rule(re.compile(r"First inference took (?P<value>\S+) (?P<unit>\S+)"), "first_inference", "once", "the warm-up"),
    Rule(re.compile(r"(?P<what>(?:Start|End) of \w+) memory usage: Peak (?P<value>\S+) (?P<unit>\S+)"),
         "address_space at {}", "max", "VmPeak of the process: virtual, not resident memory"),
    Rule(re.compile(r"\w+ model ram used (?P<value>\S+) (?P<unit>\S+)"),
         "address_space_growth", "once", "difference of two VmPeak values: virtual, not resident memory"),
    Rule(re.compile(r"Count:\s+(?P<value>\S+) iterations"), "inferences", "count", unit=""),
    Rule(re.compile(r"Duration:\s+(?P<value>\S+) (?P<unit>\S+)"), "run", "total"),
    Rule(re.compile(r"Throughput:\s+(?P<value>\S+) (?P<unit>\S+)"), "throughput", "rate", "over the run"),
    Rule(re.compile(r"Total time:\s+(?P<value>\S+) milliseconds"), "layers", "once", "sum over the layers", "ms"),
)  # fmt: skip
STATISTICS = {"Median": "median", "Average": "mean", "Min": "min", "Max": "max"}
LOW_PRECISION = re.compile(r"bf16|bfloat16|\bf16\b|float16")


def read_benchmark_app(text: str) -> ToolOutput:
    """The log, or one of its reports: JSON of either tool, CSV with `;`, counters."""
    if re.search(REPORTS, text, re.M):
        return read_report(text)
    draft = Draft("benchmark_app")
    reader = _Log(draft)
    for line in draft.lines(text):
        reader.take(line)
    _doubts(draft)
    return draft.done()


class _Log:
    """Line after line, with what earlier lines say about later ones."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.group, self.includes = draft, "", ""
        self.actions: List[Tuple[Pattern[str], Callable[[Match[str], str], None]]] = [
            (LATENCY, self._latency),
            (re.compile(r"Build \.+ ?(\S+)"), self._version),
            (COUNTER, self._counter),
            (re.compile(r"Execution Devices: ?(.+)"), self._setting("execution devices")),
            (re.compile(r"Model batch size: (\S+)"), self._setting("batch size")),
            (re.compile(r"Benchmarking in (inference only|full) mode .*"), self._mode),
            (re.compile(r"(\d+)\. ?.*\[.*\].*"), self._begin_group),
            (re.compile(r"\s*([A-Z][A-Z_0-9]+): ?(.*)"), self._property),
        ]

    def take(self, line: str) -> None:
        """One line of the log."""
        step, level = STEP_10.match(line), PREFIX.match(line)
        body = line[level.end() :] if level else line
        if step:
            self.draft.settings["API"] = step[1]
            self.draft.settings["infer requests"] = step[2] or "1"
        elif level and level[1] in ("WARNING", "ERROR"):
            self.draft.warn(f"the tool says: {body.strip()}")
        else:
            self._body(body, line)

    def _body(self, body: str, line: str) -> None:
        for pattern, action in self.actions:
            found = pattern.fullmatch(body.rstrip())
            if found:
                return action(found, line)
        if not self.draft.apply(FIGURES, body.rstrip(), line) and not CHATTER.fullmatch(body):
            self.draft.unread(line)
        return None

    def _latency(self, found: Match[str], line: str) -> None:
        label = found[1]
        statistic = STATISTICS.get(label) or percentile_name(label.split()[0])
        self.draft.add(f"latency{self.group}", found[2], found[3], statistic, self._spans(), line)

    def _spans(self) -> str:
        queued = int(self.draft.settings.get("infer requests", "1")) > 1
        waits = "from start to completion, waiting behind other requests" if queued else "one request at a time"
        return ", ".join(part for part in (waits, self.includes) if part)

    def _version(self, found: Match[str], line: str) -> None:
        self.draft.version = self.draft.version or found[1]

    def _counter(self, found: Match[str], line: str) -> None:
        self.draft.layer(found[1], found[5], "ms", found[3], found[4], found[2] == "EXECUTED")
        self.draft.warn("the log cuts the names of layers to 20 characters, and counters are of one inference only")

    def _mode(self, found: Match[str], line: str) -> None:
        self.includes = f"filling of the inputs {'not ' if found[1] != 'full' else ''}included"
        self.draft.settings["mode"] = found[1]

    def _begin_group(self, found: Match[str], line: str) -> None:
        self.group = f" of group {found[1]}"

    def _property(self, found: Match[str], line: str) -> None:
        self.draft.settings[found[1]] = found[2].strip()

    def _setting(self, key: str) -> Callable[[Match[str], str], None]:
        return lambda found, line: self.draft.settings.__setitem__(key, found[1].strip())


def _doubts(draft: Draft) -> None:
    if draft.find("address_space_growth", "once"):
        draft.warn("'ram used' is growth of the peak of virtual memory, not of resident memory")
    low = LOW_PRECISION.search(draft.settings.get("INFERENCE_PRECISION_HINT", ""))
    if low:
        draft.warn(f"it ran in {low[0]}: no float32 figure; set -infer_precision f32 for one")
    requests = draft.settings.get("infer requests", "1")
    if int(requests) > 1:
        draft.warn(f"{requests} requests are in flight: the latency is not that of a single inference")
    if draft.find("latency", "mean") is not None:
        draft.warn("one percentile per run: any other needs another run with -latency_percentile")
