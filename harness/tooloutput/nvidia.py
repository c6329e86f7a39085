"""trtexec in the normal form: its log, --exportTimes, --exportProfile and --exportLayerInfo."""

from __future__ import annotations

import statistics
from typing import List, Mapping

from harness.tooloutput.figures import Draft, ToolOutput
from harness.tooloutput.trtexec import Log, Spread, parse_log
from harness.tooloutput.trtexport import parse_layers, parse_profile, parse_times

SECTIONS = ("Model Options", "Build Options", "System Options", "Inference Options", "Device Information")
# label: name, what it spans
SPREADS = {
    "Latency": ("latency", "copy to the GPU, compute, copy back, by GPU events; no queueing"),
    "End-to-End Host Latency": ("latency end to end", "with waiting behind the query before"),
    "GPU Compute Time": ("gpu_compute", "compute alone"),
    "Enqueue Time": ("enqueue", "the CPU's time to queue the work"),
    "H2D Latency": ("copy_in", "host to device"),
    "D2H Latency": ("copy_out", "device to host"),
}
STABLE = "one query is always queued ahead: an application that waits for each answer is slower"


def read_trtexec(text: str) -> ToolOutput:
    """The log or one of the exports."""
    draft = Draft("trtexec")
    if text.lstrip().startswith("{"):
        for layer in parse_layers(text):
            draft.layer(layer.name, None, "ms", layer.kind, layer.output_dtype, ran=False)
    elif text.lstrip().startswith("["):
        _export(draft, text) if '"' in text.lstrip()[:80] else _log(draft, text)
    else:
        _log(draft, text)
    return draft.done()


def _export(draft: Draft, text: str) -> None:
    if '"averageMs"' in text or '"count"' in text:
        profile = parse_profile(text)
        draft.add("inferences", profile.iterations, "", "count")
        for layer in profile.layers:
            draft.layer(layer.name, layer.average_ms, "ms")
        draft.warn("layer times are with the profiler on: they do not add up to the latency of a run without it")
        return
    times = parse_times(text)
    draft.add("inferences", len(times), "", "count")
    if times:
        _computed(draft, "latency", [one.latency_ms for one in times], SPREADS["Latency"][1])
        _computed(draft, "gpu_compute", [one.compute_ms for one in times], SPREADS["GPU Compute Time"][1])
        draft.warn(STABLE)


def _computed(draft: Draft, name: str, values: List[float], spans: str) -> None:
    how = f"{spans}; computed from the single times"
    for statistic, value in (("mean", statistics.fmean(values)), ("median", statistics.median(values)),
                             ("min", min(values)), ("max", max(values))):  # fmt: skip
        draft.add(name, value, "ms", statistic, how)


def _log(draft: Draft, text: str) -> None:
    log = parse_log(text)
    draft.version = ".".join(str(part) for part in log.version) if any(log.version) else ""
    for section in SECTIONS:
        draft.settings.update(log.sections.get(section, {}))
    for label, spread in log.spreads.items():
        name, spans = SPREADS.get(label, (label, ""))
        _spread(draft, name, spans, spread)
    _totals(draft, log)
    for layer in log.profile.layers if log.profile else ():
        draft.layer(layer.name, layer.average_ms, "ms")
    _summary_lines(draft, log.sections.get("Performance summary", {}), log)
    _doubts(draft, log)


def _spread(draft: Draft, name: str, spans: str, spread: Spread) -> None:
    if not spread.max_ms:
        return draft.warn(f"{name} is 0 throughout: taken as not measured (no data transfers?)")
    named = [("mean", spread.mean_ms), ("median", spread.median_ms), ("min", spread.min_ms), ("max", spread.max_ms)]
    for statistic, value in named + [(f"p{percent:g}", value) for percent, value in spread.percentiles_ms.items()]:
        draft.add(name, value, "ms", statistic, spans)
    return None


def _totals(draft: Draft, log: Log) -> None:
    figures = (
        ("throughput", log.throughput_per_s, "1/s", "rate", "over the run, queries queued ahead"),
        ("run", log.host_walltime_s, "s", "total", ""),
        ("gpu_compute over the run", log.gpu_compute_s, "s", "total", ""),
        ("build", log.engine_built_s, "s", "once", ""),
        ("load", log.engine_deserialized_s, "s", "once", "reading the engine back"),
        ("inferences profiled", log.profile.iterations if log.profile else None, "", "count", ""),
    )
    for name, value, unit, statistic, includes in figures:
        if value is not None:
            draft.add(name, value, unit, statistic, includes)


def _summary_lines(draft: Draft, summary: Mapping[str, str], log: Log) -> None:
    known = {*log.spreads, "Throughput", "Total Host Walltime", "Total GPU Compute Time"}
    for key, value in summary.items():
        if key not in known and value:
            draft.unread(f"{key}: {value}")


def _doubts(draft: Draft, log: Log) -> None:
    for line in log.warnings + log.errors:
        draft.warn(f"the tool says: {line.strip()}")
    if log.passed:
        draft.warn("PASSED says nothing about the outputs: the inputs are random, and dead outputs pass too")
    elif log.passed is False:
        draft.warn("the tool ended FAILED")
    elif any(log.version):
        draft.warn("the tool never came to its end")
    if log.spreads:
        draft.warn(STABLE)
    elif log.profile:
        draft.warn("with the profiler on the tool gives no latency: measure it in a run of its own")
    if log.host_walltime_s and log.gpu_compute_s and log.gpu_compute_s > log.host_walltime_s:
        draft.warn(
            "the GPU computed for longer than the run took: queries overlapped, and no time here is of one alone"
        )
