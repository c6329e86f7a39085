"""The roofline floor of one case: which file, which facts and which precision hold for its runtime entry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.case import Case, ExtraInput, InputSpec
from harness.layercost import READABLE, read_network
from harness.layers import BITS, Network, fastest, precision_named
from harness.model import ModelCard
from harness.prepare import file_format
from harness.profile import DeviceProfile, Facts
from harness.roofline import PEAKS, Floor, Multiple, floor_of, precisions_that_ran

NO_CPU_PEAK = "a peak of the CPU"
NO_TF32_PEAK = "a peak of TF32"
TF32_PROVIDERS = ("CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider")
_ON = (True, "1", "true", "True")
# The option that takes an engine from the CPU, and its value that does not. The other engines never run there.
_UNIT = {
    "onnxruntime": ("providers", "CPUExecutionProvider"),
    "openvino": ("target", "CPU"),
    "litert": ("delegate", ""),
    "torch": ("device", "cpu"),
    "executorch": ("backend", "XnnpackBackend"),
}


def case_floor(
    profile: DeviceProfile, card: ModelCard, case: Case, facts: Mapping[str, Any] | None = None
) -> Floor | None:
    """The floor of one case; facts: of a run, where it was measured. None where no file of the variant can be read.

    A file that cannot be read has the layers of the same variant in another format.
    """
    known = case.runtime in profile.runtimes
    taken = file_format(profile, card, case.variant, case.runtime) if known else ""
    form = next((one for one in (taken, *READABLE) if one in READABLE and one in card.variants[case.variant].files), "")
    if not form:
        return None
    path = card.file(case.variant, form)
    changed_ns = path.stat().st_mtime_ns if path.is_file() else 0
    network = _network(path, changed_ns, card.input_spec(form), card.extra_input_list())
    if not known:
        return floor_of(network, profile.facts)
    return _entry_floor(profile, case.runtime, network, facts or {})


def _entry_floor(profile: DeviceProfile, runtime: str, network: Network, ran: Mapping[str, Any]) -> Floor:
    options, facts = profile.engine_options(runtime), profile.facts
    told = precisions_that_ran(ran or {"precision": _setting(options)}, network)
    if _of_another_unit(profile, runtime):
        return _without(network, facts, told, tuple(PEAKS.values()), NO_CPU_PEAK)
    if _may_run_tf32(options):
        return _without(network, facts, told, (PEAKS["fp32"],), NO_TF32_PEAK)
    return floor_of(network, _with_dlas(facts, options), told)


def _without(network: Network, facts: Facts, told: Any, peaks: tuple[str, ...], because: str) -> Floor:
    """The floor with facts that do not hold for this entry left out, and the reason in their place."""
    floor = floor_of(network, facts.model_copy(update=dict.fromkeys(peaks)), told)
    return replace(floor, missing=tuple(dict.fromkeys(because if one in peaks else one for one in floor.missing)))


def _may_run_tf32(options: Mapping[str, Any]) -> bool:
    """ONNX Runtime's CUDA provider runs FP32 files in TF32 unless told not to, and TensorRT's does: up to four times
    faster than `fp32_tflops`, which are those of the CUDA cores.
    """
    provider = next(iter(options.get("providers", ())), "")
    own = options.get("provider_options", {}).get(provider, {})
    return provider in TF32_PROVIDERS and str(own.get("use_tf32", "1")) != "0"


@lru_cache(maxsize=256)
def _network(path: Path, changed_ns: int, image: InputSpec, extras: tuple[ExtraInput, ...]) -> Network:
    """Every form of the report asks again; a file that changed is read anew."""
    return read_network(path, image, extras)


def _of_another_unit(profile: DeviceProfile, runtime: str) -> bool:
    """True for an entry on the CPU beside others that are not: the facts are those of the accelerator."""
    return _on_cpu(profile, runtime) and not all(_on_cpu(profile, one) for one in profile.runtimes)


def _on_cpu(profile: DeviceProfile, runtime: str) -> bool:
    engine, options = profile.engine(runtime), profile.engine_options(runtime)
    if engine not in _UNIT or "plugin" in options:
        return False
    option, cpu = _UNIT[engine]
    value = options.get(option, cpu)
    return (value if isinstance(value, str) else next(iter(value), cpu)) == cpu


def _setting(options: Mapping[str, Any]) -> str:
    """The fastest precision that an entry allows: its `precision`, or a switch such as `fp16 = true`, however deep."""
    found = [precision_named(str(options.get("precision", "")))]
    for key, value in options.items():
        if isinstance(value, Mapping):
            found.append(_setting(value))
        elif value in _ON:
            found += [one for one in BITS if one in key]
    return fastest(found)


def _with_dlas(facts: Facts, options: Mapping[str, Any]) -> Facts:
    """An entry whose options speak of a DLA may use it and the GPU at the same time."""
    if facts.int8_tops is None or facts.dla_int8_tops is None or "dla" not in repr(options).lower():
        return facts
    return facts.model_copy(update={"int8_tops": facts.int8_tops + facts.dla_int8_tops})


def facts_text(facts: Facts) -> str:
    """The facts that a floor is made of, with their units; "no facts" where there are none."""
    known = (
        (facts.int8_tops, "int8 TOPS"), (facts.dla_int8_tops, "int8 TOPS of the DLAs"),
        (facts.fp16_tflops, "fp16 TFLOPS"), (facts.fp32_tflops, "fp32 TFLOPS"), (facts.memory_bandwidth_gb_s, "GB/s"),
    )  # fmt: skip
    return ", ".join(f"{value:g} {unit}" for value, unit in known if value is not None) or "no facts"


def floor_values(multiple: Multiple) -> dict[str, Any]:
    """All numbers of a floor by name, as they stand in JSON; None for what is not known."""
    floor = multiple.floor
    return {
        "floor_ms": floor.ms, "multiple": multiple.value, "bound": floor.bound or None,
        "compute_ms": floor.compute_ms, "memory_ms": floor.memory_ms, "layerwise_ms": floor.layerwise_ms,
        "macs": floor.network.macs, "parameter_bytes": floor.network.parameter_bytes,
        "input_bytes": floor.network.input_bytes, "output_bytes": floor.network.output_bytes,
        "operations_per_byte": floor.intensity, "precisions": list(floor.precisions),
        "missing_facts": list(floor.missing), "uncounted": dict(floor.network.uncounted),
        "sentence": multiple.sentence,
    }  # fmt: skip
