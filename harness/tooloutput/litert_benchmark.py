"""What TFLite's benchmark_model and LiteRT's two tools (C++ and `litert-benchmark`) print.

Formats: tensorflow/lite/tools/benchmark, tensorflow/core/util/stats_calculator.cc, litert/tools/benchmark_litert_model
(Apache-2.0). Timings are us, those under BENCHMARK RESULTS and in operator profiles ms.
"""

from __future__ import annotations

import json
import re
from typing import Any, Callable, Dict, List, Mapping, Match, Pattern, Tuple

from harness.tooloutput.figures import Draft, Rule, ToolOutput, ToolOutputError, normal
from harness.tooloutput.litert_operators import Operators

PREFIX = re.compile(
    r"^\s*(?:\d{4}-\d\d-\d\d \S+ (?=\w+ \w+: ))?(?:.*?\b[IVWE][ /]tflite\s*(?:\(\s*\d+\))?\s*:\s+)?"
    r"(?:(?:INFO|VERBOSE|WARNING|ERROR)\b(?: \w+)?: ?)?(?:\[\S+:\d+\] ?)?"
)
SPREAD = re.compile(r"(?:Timings \(microseconds\): )?count=(\d+)(?: (\w+=.*))?")
PAIR = re.compile(r"(\w+)=([^\s(]+)")
STATISTICS = {"first": "first", "curr": "last", "min": "min", "max": "max", "avg": "mean", "std": "std",
              "p5": "p5", "median": "median", "p95": "p95"}  # fmt: skip
RUNTIME = re.compile(r"INFO: \[[\w./]+\.(?:cc|h):\d+\] ")
RUNTIME_SAYS = re.compile(r"(?:WARNING|ERROR): ")
RESULT = re.compile(r"(Model initialization|Warmup|Inference)(?: \((\w+)\))?:\s+(\S+)(?: ms)?(?: \((\d+) runs\))?")
TAKEN = re.compile(
    r"(?:Replacing (\d+) out of (\d+) node\(s\) with delegate \((.+?)\) node, yielding (\d+) .*)|"
    r"(?:.*delegate: (\d+) nodes delegated out of (\d+) nodes with (\d+) partitions\.?)"
)
SETTING = re.compile(
    r"([A-Z#][^:\[]*)(?:: \[(.*)\])|(Model|Model size|Accelerators|Num threads|Warmup runs|Benchmark runs|Dispatch lib|"
    r"Compiler plugin|Signatures|Using signature|Fully accelerated): +(.*)"
)
FIGURES = (
    Rule(re.compile(r"Initialized session in (?P<value>\S+?)(?P<unit>ms|s|us)\.?"), "load", "once"),
    Rule(re.compile(r"The input model file size \(MB\): (?P<value>\S+)"), "file_size", "once", unit="MB"),
    Rule(re.compile(r"Overall peak memory footprint \(MB\) .*: (?P<value>\S+)"),
         "peak_memory", "max", "polled every 50 ms: shorter peaks are missed", "MiB"),
    Rule(re.compile(r"Peak memory: +(?P<value>\S+) MB"), "peak_memory", "max", "polled every 50 ms", "MiB"),
    Rule(re.compile(r"(?P<what>Init|Overall) footprint: +(?P<value>\S+) MB"),
         "{}_footprint", "once", "approximate, says the tool", "MiB"),
    Rule(re.compile(r"[-+] (?P<what>\w[\w +]*?)\s+: (?P<value>\S+) MB"), "{}", "last", "at the end of the run", "MiB"),
    Rule(re.compile(r"Throughput: +(?P<value>\S+) MB/s"),
         "input_throughput", "rate", "bytes of the inputs, not frames", "MB/s"),
)  # fmt: skip
RESULT_NAMES = {"Model initialization": "load", "Warmup": "warmup", "Inference": "latency"}
SUMMARY: Mapping[str, Tuple[str, str]] = {
    "Init": ("load", "once"), "First inference": ("first_inference", "once"), "Warmup (avg)": ("warmup", "mean"),
    "Warmup": ("warmup", "mean"), "Inference (avg)": ("latency", "mean"), "no stats": ("latency", "mean"),
    "with stats": ("latency while profiled", "mean"),
}  # fmt: skip
ROUNDED_MS = 0.005
CALL = "one Invoke; copies made by the delegate included; the next begins when it ends"
OPERATORS = "sum over the operators, with profiling switched on"
CHATTER = re.compile(
    r"\s*|=+.*|BENCHMARK RESULTS|STARTING!|Loaded model ?.*|resolved reporter|Memory Usage:|Log parameter values.*|"
    r"Initialized TensorFlow Lite runtime\.|Created TensorFlow Lite .*|Explicitly applied .*|\w+ delegate created\.|"
    r"Note: as the benchmark tool itself.*|Going to apply .*|Appl(?:ied|ying) .*|Successfully applied .*|"
    r"Loading model\.\.\.|Creating environment\.\.\.|Environment created .*|Model loaded .*|"
    r"Running \d+ \w+ iterations.*|"
    r"(?:Operator-wise )?Profiling Info for .*|Memory status at the end of .*|\d+ nodes observed|Number of nodes.*|"
    r"Results saved to.*|Peak memory usage not available.*|No throughput data available.*|Event: .*|"
    r"\*NOTE\*: because a delegate .*"
)


def read_benchmark_model(text: str) -> ToolOutput:
    """The log of any of the tools, or the JSON of `litert-benchmark --result_json`."""
    draft = Draft("benchmark_model")
    if text.lstrip().startswith("{"):
        _json(draft, text)
    else:
        reader = _Log(draft)
        for line in draft.lines(text):
            reader.take(line)
        reader.close()
    return draft.done()


class _Log:
    """Line after line, with what earlier lines say about later ones."""

    def __init__(self, draft: Draft) -> None:
        self.draft, self.phases, self.operators = draft, 0, Operators(draft)
        self.spreads: List[Tuple[int, Dict[str, str], str]] = []
        self.summaries: List[Callable[[], None]] = []
        self.actions: List[Tuple[Pattern[str], Callable[[Match[str], str], None]]] = [
            (SPREAD, self._spread),
            (RESULT, self._later(self._result)),
            (re.compile(r"(?:Average i|I)nference timings in us: (.*)"), self._later(self._summary)),
            (re.compile(r"Running benchmark for at least .*"), self._phase),
            (TAKEN, self._taken),
            (re.compile(r"Explicitly applied (.+) delegate, .* will be (\w+) executed .*"), self._applied),
            (re.compile(r"Though (.+) delegate is explicitly applied, .* not be executed .*"), self._refused),
            (re.compile(r"Memory \(bytes\): (.+)"), self._profiled_memory),
            (re.compile(r"(?:Peak m|M)emory footprint .*\(MB\): init=(\S+) overall=(\S+)"), self._memory),
            (SETTING, self._setting),
        ]

    def take(self, line: str) -> None:
        """One line of the log."""
        body = PREFIX.sub("", line).strip()
        for pattern, action in self.actions:
            found = pattern.fullmatch(body)
            if found:
                return action(found, line)
        if self.draft.apply(FIGURES, body, line):
            return None
        if RUNTIME_SAYS.match(line):
            return self.draft.warn(f"the tool says: {body}")
        if not self.operators.take(line) and not CHATTER.fullmatch(body) and not RUNTIME.match(line):
            self.draft.unread(line)
        return None

    def close(self) -> None:
        """What can only be said at the end: of the phases, every second one is the measured one."""
        for phase, found, line in self.spreads:
            warmup = phase % 2 == 1 and len(self.spreads) > 1
            self._add(found, "warmup" if warmup else "latency", CALL, line)
        if len(self.spreads) == 1:
            self.draft.warn("one phase only: it may be the warm-up")
        for summary in self.summaries:
            summary()
        _doubts(self.draft)

    def _add(self, found: Dict[str, str], name: str, includes: str, line: str) -> None:
        self.draft.add(f"{name} runs", found.pop("count"), "", "count", "", line)
        for key, value in found.items():
            self.draft.add(name, value, "us", STATISTICS.get(key, key), includes, line)

    def _spread(self, found: Match[str], line: str) -> None:
        if found[1] == "0":
            return self.draft.warn(f"nothing was timed: {line.strip()}")
        known = {"count": found[1], **dict(PAIR.findall(found[2] or ""))}
        if found[0].startswith("Timings"):
            self._add(known, "initialisation" if self.operators.initialising else "operators", OPERATORS, line)
        else:
            self.spreads.append((self.phases, known, line))
        return None

    def _later(self, action: Callable[[Match[str], str], None]) -> Callable[[Match[str], str], None]:
        """Summaries repeat, rounded, what other lines say: they come after these."""
        return lambda found, line: self.summaries.append(lambda: action(found, line))

    def _phase(self, found: Match[str], line: str) -> None:
        self.phases += 1

    def _result(self, found: Match[str], line: str) -> None:
        name = RESULT_NAMES[found[1]]
        statistic = "once" if name == "load" else STATISTICS.get(found[2] or "", found[2] or "mean")
        known, printed = self.draft.find(name, statistic), normal(found[3], "ms")
        if known is None or printed is None or abs(known - printed[0]) > ROUNDED_MS:
            self.draft.add(name, found[3], "ms", statistic, CALL if name != "load" else "", line)
        if found[4]:
            self.draft.add(f"{name} runs", found[4], "", "count", "", line)

    def _summary(self, found: Match[str], line: str) -> None:
        for part in found[1].split(", "):
            key, _, value = part.partition(": ")
            name, statistic = SUMMARY.get(key, ("", ""))
            if name:
                self.draft.add(name, value, "us", statistic, CALL if statistic == "mean" else "", line)
            else:
                self.draft.unread(part)

    def _taken(self, found: Match[str], line: str) -> None:
        if found[3]:
            self.draft.settings["delegate"] = found[3]
        counts = (found[1], found[2], found[4]) if found[1] else (found[5], found[6], found[7])
        for name, value in zip(("delegated nodes", "nodes", "partitions"), counts):
            self.draft.add(name, value, "", "count", "", line)
        self.draft.warn("a coverage line speaks of one delegate: judge placement by the operator profile")

    def _applied(self, found: Match[str], line: str) -> None:
        self.draft.settings["delegate"] = f"{found[1]}, {found[2]} executes the graph"
        if found[2] != "completely":
            self.draft.warn(f"the delegate {found[1]} takes the graph {found[2]}: the rest runs on the CPU")

    def _refused(self, found: Match[str], line: str) -> None:
        self.draft.settings["delegate"] = f"{found[1]}, took nothing"
        self.draft.warn(f"the delegate {found[1]} took nothing: this is a figure of the CPU")

    def _profiled_memory(self, found: Match[str], line: str) -> None:
        self.draft.warn(f"memory by operator: {found[1]}" if found[1] != "count=0" else "no memory was profiled")

    def _memory(self, found: Match[str], line: str) -> None:
        self.draft.add("memory_growth by load", found[1], "MiB", "once", "approximate, says the tool", line)
        self.draft.add("memory_growth", found[2], "MiB", "once", "approximate, says the tool", line)

    def _setting(self, found: Match[str], line: str) -> None:
        key, value = (found[1], found[2]) if found[1] else (found[3], found[4])
        self.draft.settings[key.strip()] = value.strip()


def _json(draft: Draft, text: str) -> None:
    try:
        report = json.loads(text)
    except ValueError as error:
        raise ToolOutputError(f"the JSON of litert-benchmark is broken: {error}") from error
    latency: Any = report.get("latency")
    if not isinstance(latency, dict):
        raise ToolOutputError("the JSON of litert-benchmark has no object `latency`")
    for key, value in latency.items():
        name, statistic = _json_key(str(key))
        unit, spans = ("", "") if statistic == "count" else ("ms", CALL)
        draft.add(name, value, unit, statistic, spans if statistic != "once" else "", f"{key}: {value}")
    draft.settings.update({str(key): str(value) for key, value in report.items() if key != "latency"})
    _doubts(draft)


def _json_key(key: str) -> Tuple[str, str]:
    """avg_ms is the mean latency, warmup_first_ms the first of the warm-up, num_runs a count."""
    words = key.split("_")
    if words[0] == "num":
        return ("warmup runs" if "warmup" in words else "latency runs"), "count"
    if words[0] == "init":
        return "load", "once"
    return ("warmup" if words[0] == "warmup" else "latency"), STATISTICS.get(words[-2] if len(words) > 1 else "", key)


def _doubts(draft: Draft) -> None:
    if draft.find("latency", "mean") is None:
        return
    draft.warn("p95 is the highest percentile that the tool knows, and the inputs are random unless files were given")
    frequency = draft.settings.get("Number of prorated runs per second", "-1")
    if not frequency.startswith("-") and frequency:
        draft.warn(f"run_frequency {frequency}: a late run is timed from its own start, so waiting is left out")
