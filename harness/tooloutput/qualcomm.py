"""qnn-profile-viewer (text and CSV) and snpe-diagview in the normal form."""

from __future__ import annotations

import re
import statistics

from harness.tooloutput.figures import Draft, ToolOutput
from harness.tooloutput.qnn import Figure, execute_us, parse_events, parse_report
from harness.tooloutput.snpe import parse_diagnosis

EXECUTE = "Execute Stats"
KINDS = {"Average": "mean", "Min": "min", "Max": "max", "Overall": "rate"}
CALL = "the runtime's execute call: the way to the accelerator and back included, input and output files not"
PARTS = {
    "RPC": "the accelerator's call as the CPU sees it",
    "QNN accelerator": "as the accelerator's driver sees it",
    "Accelerator": "on the accelerator",
    "QNN": "in the backend",
}
DIAGNOSED = {
    "Total Inference Time": ("latency", "mean", "the runtime's execute call, copies and RPC included"),
    "Forward Propagate Time": ("forward", "mean", "the layers, on whatever they run, with their RPC"),
    "RPC Execute Time": ("rpc", "mean", "the accelerator's call as the CPU sees it"),
    "Snpe Accelerator Time": ("accelerator driver", "mean", "as the accelerator's driver sees it"),
    "Accelerator Time": ("accelerator", "mean", "on the accelerator"),
}
AVERAGED = ("Misc Accelerator Time",)


def read_profile_viewer(text: str) -> ToolOutput:
    """The viewer's text, or its CSV."""
    draft = Draft("qnn-profile-viewer")
    if re.search(r"Msg Timestamp\s*,", text):
        _events(draft, text)
    else:
        report = parse_report(text)
        draft.settings["graphs"] = ", ".join(report.graphs)
        for figure in report.figures:
            _figure(draft, figure)
        _input_output(draft)
    return draft.done()


def _figure(draft: Draft, figure: Figure) -> None:
    if figure.value is None:
        return draft.warn(f"{figure.section}, {figure.key}: printed as 0 NONE, no measurement")
    section, _, kind = figure.section.rstrip(")").partition(" (")
    if section != EXECUTE:
        phase = section[: -len(" Stats")].lower() if section.endswith(" Stats") else section.lower()
        return draft.add(f"{phase}: {figure.key}", figure.value, figure.unit, "once")
    if figure.unit in ("cycles", "CYCLES"):
        return draft.layer(figure.key, figure.value, "cycles", runtime=KINDS.get(kind, kind))
    statistic = KINDS.get(kind, kind or "mean")
    if figure.key == "NetRun IPS":
        return draft.add(
            "throughput", figure.value, figure.unit, "rate", "over the run, with reading and writing files"
        )
    if figure.key == "NetRun":
        return draft.add("latency", figure.value, figure.unit, statistic, CALL)
    part = figure.key.split(" (")[0]
    return draft.add(figure.key, figure.value, figure.unit, statistic, PARTS.get(part, ""))


def _input_output(draft: Draft) -> None:
    mean, rate = draft.find("latency", "mean"), draft.find("throughput", "rate")
    if mean and rate:
        draft.warn(f"IPS includes input and output files: {rate:.1f} /s, where 1/latency is {1e3 / mean:.1f} /s")
    if mean:
        draft.warn("averages only: no percentile can be had from this tool")
    if draft.layers:
        draft.warn("layers are in cycles, which are no time: the accelerator's clock changes")


def _events(draft: Draft, text: str) -> None:
    events = parse_events(text)
    sources = dict.fromkeys(event.source for event in events)
    for source in sources:
        times = [time for time in execute_us(events, source) if time > 0]
        if times:
            name = "latency" if source == "NETRUN" else f"execute as {source} sees it"
            draft.add(f"{name} count", len(times), "", "count")
            for statistic, value in (("mean", statistics.fmean(times)), ("median", statistics.median(times)),
                                     ("min", min(times)), ("max", max(times))):  # fmt: skip
                draft.add(name, value, "us", statistic, "computed from the single executions")
    for event in events:
        if event.unit == "CYCLES":
            draft.layer(event.identifier or event.message, event.time, "cycles", event.message, event.source)


def read_diagview(text: str) -> ToolOutput:
    """One output of snpe-diagview. ValueError where it holds more than one: their figures cannot be told apart."""
    if len(re.findall(r"^\s*Total Inference Time:", text, re.M)) > 1:
        raise ValueError("it holds several outputs: read them one by one")
    draft = Draft("snpe-diagview")
    told = parse_diagnosis(text)
    draft.version = told.version
    for key, value in told.microseconds.items():
        if value is None:
            draft.warn(f"{key}: printed as 0 NONE, no measurement")
        else:
            plain = (key.lower(), "once" if key not in AVERAGED else "mean", "")
            name, statistic, includes = DIAGNOSED.get(key, plain)
            draft.add(name, value, "us", statistic, includes)
    for layer in told.layers:
        draft.layer(str(layer.number), layer.time, layer.unit, runtime=layer.runtime)
    if told.accelerator_share is not None:
        draft.add("accelerator_share", 100 * told.accelerator_share, "%", "mean", "computed: accelerator / latency")
    draft.warn("averages only: no percentile can be had from this tool")
    if any(layer.unit == "cycles" for layer in told.layers):
        draft.warn("layers are in cycles, which are no time: the accelerator's clock changes")
    return draft.done()
