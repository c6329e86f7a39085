"""SETTINGS: what each engine offers to save memory, one sentence each.

Sources: onnxruntime_session_options_config_keys.h and SessionOptions of ONNX Runtime 1.31; docs.openvino.ai, "Model
Caching" and ov::enable_mmap; the Interpreter of ai-edge-litert 2.3; NVIDIA's TensorRT API, IBuilderConfig. Those of
TensorRT and of CUDA were never run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.config import merged

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row: what is laid over a runtime entry of the profile.

    does: the sentence for the reader. file: how the model file is written anew for it, a name of files.REWRITTEN.
    keeps: the option that names a folder in which the engine keeps what it made; a process before fills it.
    provider: of ONNX Runtime, the only one that it is for. told: what the engine must then say of itself.
    """

    name: str
    does: str
    options: Mapping[str, Any] = field(default_factory=dict)
    file: str = ""
    keeps: str = ""
    provider: str = ""
    told: Mapping[str, Any] = field(default_factory=dict)

    def over(self, entry: Mapping[str, Any], folder: str) -> dict[str, Any]:
        """The entry with this setting; `folder` is where the engine may keep something."""
        kept = {self.keeps: folder} if self.keeps else {}
        return merged(dict(entry), {**self.options, **kept})

    def not_taken(self, facts: Mapping[str, Any]) -> str:
        """Why what was measured is not this setting; empty where it is, as far as the engine tells."""
        wrong = [name for name, value in self.told.items() if facts.get(name) != value]
        return f"the engine says {wrong[0]} = {facts.get(wrong[0])}: the setting was not taken" if wrong else ""


DEFAULT = Setting(name="default", does="as the entry of the device profile has it")
SETTINGS: Mapping[str, tuple[Setting, ...]] = {
    "onnxruntime": (
        Setting(name="no-arena", provider=CPU, options={"memory_arena": False}, told={"memory_arena": False},
                does="freed tensors go back to the system instead of to an arena that never shrinks"),
        Setting(name="no-pattern", provider=CPU, options={"memory_pattern": False}, told={"memory_pattern": False},
                does="each tensor gets its own memory instead of a place in one planned block"),
        Setting(name="no-arena-no-pattern", provider=CPU, options={"memory_arena": False, "memory_pattern": False},
                told={"memory_arena": False, "memory_pattern": False}, does="both"),
        Setting(name="weights-outside", provider=CPU,
                options={"session_config": {"session.use_device_allocator_for_initializers": "1"}},
                does="weights are allocated beside the arena, which is then not rounded up for them"),
        Setting(name="no-prepacking", provider=CPU, options={"session_config": {"session.disable_prepacking": "1"}},
                does="weights are not copied into the order that the kernels like best"),
        Setting(name="mapped-weights", provider=CPU, file="mapped-weights",
                does="weights lie in a file of their own, which is mapped instead of read"),
        Setting(name="optimised-file", provider=CPU, file="optimised",
                does="the graph was optimised before, for this kind of processor, so that loading makes no copies"),
        Setting(name="arena-as-asked", provider=CUDA,
                options={"provider_options": {CUDA: {"arena_extend_strategy": "kSameAsRequested"}}},
                does="the arena of the GPU grows by what is asked for instead of by powers of two"),
    ),
    "openvino": (
        Setting(name="unmapped", options={"properties": {"ENABLE_MMAP": False}}, told={"mapped_weights": False},
                does="weights outside the model file are read instead of mapped"),
        Setting(name="cache", keeps="cache_dir", told={"from_cache": True},
                does="the compiled model is loaded from a cache, and the reader of the file's format is not"),
    ),
    "litert": (
        Setting(name="unmapped", options={"mapped": False}, told={"mapped_weights": False},
                does="the file is read into memory instead of mapped"),
        Setting(name="no-xnnpack", options={"xnnpack": False},
                does="the built-in kernels, which keep no second copy of the weights in an order of their own"),
    ),
    "tensorrt": (
        Setting(name="workspace-64", options={"workspace_mib": 64},
                does="no kernel that wants more than 64 MiB of scratch memory is chosen"),
        Setting(name="workspace-256", options={"workspace_mib": 256},
                does="no kernel that wants more than 256 MiB of scratch memory is chosen"),
    ),
}  # fmt: skip


def settings_for(engine: str, entry: Mapping[str, Any]) -> tuple[Setting, ...]:
    """What the engine of a runtime entry offers beside the default; empty where nothing is known of it."""
    first = next(iter(entry.get("providers", ())), CPU)
    return tuple(one for one in SETTINGS.get(engine, ()) if one.provider in ("", first))
