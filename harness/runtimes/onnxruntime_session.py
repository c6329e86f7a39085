"""Sessions of ONNX Runtime as a profile's entry asks for them, and why one was refused."""

from __future__ import annotations

import os
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ContextManager, Dict, List, Mapping, Optional, Tuple

from harness.errors import EngineError, unknown
from harness.runtimes.onnxruntime_context import context_of, context_refused
from harness.runtimes.onnxruntime_placement import RECORD, Placement, placement_of
from harness.runtimes.onnxruntime_plugin import LogLine, Plugin, complaints, refuse_ignored_values, words_of
from harness.runtimes.onnxruntime_profile import ran_placement

CPU = "CPUExecutionProvider"
NO_FALLBACK = "session.disable_cpu_ep_fallback"
# These run node by node, so their optimised graph can be written; the others compile, for minutes perhaps.
KERNELS = (CPU, "CUDAExecutionProvider", "ROCMExecutionProvider", "ACLExecutionProvider")
WHERE = "runtimes.* of the device profile"


@dataclass(frozen=True)
class Wanted:
    """The options of one entry; the first of `providers` is the one that it promises."""

    providers: Tuple[str, ...]
    provider_options: Mapping[str, Mapping[str, str]]
    threads: int
    session_config: Mapping[str, str]
    plugin: str
    device: str
    cpu_fallback: bool
    memory_arena: bool = True
    memory_pattern: bool = True

    @property
    def promised(self) -> str:
        return self.providers[0] if self.providers else CPU

    @property
    def promised_options(self) -> Mapping[str, str]:
        return self.provider_options.get(self.promised, {})


class Sessions:
    """Opens sessions of `engine`; EngineError where the entry cannot be met by this build at all."""

    def __init__(self, engine: Any, wanted: Wanted) -> None:
        self._engine, self._wanted = engine, wanted
        _refuse_contradictions(wanted)
        self.plugin = Plugin(engine, wanted.plugin, wanted.promised) if wanted.plugin else None
        if not self.plugin:
            self._refuse_absent_providers()
        self._said: List[LogLine] = []

    def open(
        self, path: str, entries: Mapping[str, str], cpu_fallback: bool, optimised: str = "", profile: str = ""
    ) -> Any:
        """A session; `optimised`, `profile`: where it writes its graph, its profile. Raises whatever the engine raises.

        Its own retry on the CPU is off: that hides why a provider failed.
        """
        options = self._options({**entries, **({} if cpu_fallback else {NO_FALLBACK: "1"})})
        options.optimized_model_filepath = optimised
        if profile:
            options.enable_profiling, options.profile_file_prefix = True, profile
        providers: Any = [(name, dict(self._wanted.provider_options.get(name, {}))) for name in self._wanted.providers]
        if self.plugin:
            self.plugin.add_to(options, self.plugin.resolved(self._wanted.promised_options), self._wanted.device)
            providers = None
        quiet: ContextManager[List[LogLine]] = nullcontext([]) if self._wanted.promised == CPU else complaints()
        with quiet as self._said:
            session = self._engine.InferenceSession(path, options, providers=providers, enable_fallback=0)
        if self.plugin:
            refuse_ignored_values(self._said, path)
        return session

    def refusal(self, error: Exception, path: str) -> EngineError:
        """Why there is no session on the file, in words that say what to do."""
        if NO_FALLBACK in str(error) or "fallback to CPU EP has been explicitly disabled" in str(error):
            return self._unsupported(path)
        if context_of(path):
            return context_refused(error, path)
        return EngineError(f"ONNX Runtime refuses the model: {words_of(error)}", where=path)

    def refuse_fallback(self, session: Any, path: str) -> None:
        """EngineError where the promised provider is not the first in use."""
        wanted, got = self._wanted.promised, session.get_providers()[0]
        if wanted != got:
            raise EngineError(
                f"ONNX Runtime fell back from {wanted} to {got}{self._reason('EW')}", where=path,
                remedy="check the driver and libraries of the provider; a fallback is never measured",
            )  # fmt: skip

    def ran(self, path: str) -> Placement:
        """Where the nodes of the file run, from a profiled session of its own; EngineError where that tells nothing."""
        wanted = self._wanted
        try:
            with tempfile.TemporaryDirectory() as folder:
                session = self.open(path, {}, wanted.cpu_fallback, profile=os.path.join(folder, "ran"))
                found = ran_placement(session, wanted.promised, wanted.promised not in KERNELS)
        except Exception as error:
            raise self._untold(path, f": {words_of(error)}") from error
        if found is None:
            raise self._untold(path, "")
        return found

    def _untold(self, path: str, why: str) -> EngineError:
        return EngineError(
            f"nobody tells whether {self._wanted.promised} takes a node: this ONNX Runtime does not, nor does its "
            f"profile{why}", where=path, remedy="take a newer ONNX Runtime for the device, or fixed sizes in the model",
        )  # fmt: skip

    def nothing_taken(self, path: str) -> EngineError:
        """The error of a provider that is there and took no node."""
        return EngineError(
            f"{self._wanted.promised} takes none of the nodes: all would run on the CPU{self._reason()}", where=path,
            remedy="check the provider's backend, driver and options; a fallback is never measured",
        )  # fmt: skip

    def _unsupported(self, path: str) -> EngineError:
        """What the CPU would have to take is only known of a session that lets it."""
        try:
            placement = placement_of(self.open(path, {}, cpu_fallback=True), self._wanted.promised)
        except EngineError as error:
            return error
        except Exception as error:
            return EngineError(f"unsupported: {words_of(error)}{self._reason()}", where=path)
        if placement and not placement.pieces:
            return self.nothing_taken(path)
        told = placement.sentence() if placement else f"{self._wanted.promised} does not take every node"
        return EngineError(
            f"unsupported: {told}{self._reason()}", where=path,
            remedy="change these layers, quantise the file for the provider, or allow cpu_fallback in the profile",
        )  # fmt: skip

    def _reason(self, levels: str = "E") -> str:
        """The first complaint of the session that was tried last."""
        found = [line.text for line in self._said if line.level in levels]
        return f": {found[0][:500]}" if found else ""

    def _options(self, entries: Mapping[str, str]) -> Any:
        options = self._engine.SessionOptions()
        options.intra_op_num_threads = self._wanted.threads
        options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = self._wanted.memory_arena
        options.enable_mem_pattern = self._wanted.memory_pattern
        # A plug-in tells by a warning that it ignores the value of an option.
        options.log_severity_level = 2 if self.plugin else 3
        for key, value in {**self._wanted.session_config, **entries, RECORD: "1"}.items():
            options.add_session_config_entry(key, str(value))
        return options

    def _refuse_absent_providers(self) -> None:
        known = self._engine.get_available_providers()
        absent = [name for name in self._wanted.providers if name not in known]
        if absent:
            raise EngineError(
                f"ONNX Runtime {self._engine.__version__} has no {', '.join(absent)}",
                where="runtimes.*.providers of the device profile",
                remedy=f"this build has {', '.join(known)}; install the build for the device",
            )


def _refuse_contradictions(wanted: Wanted) -> None:
    """What ONNX Runtime would pass over in silence, or answer with a riddle."""
    for name in wanted.provider_options:
        if name not in wanted.providers:
            raise EngineError(unknown("provider in `providers`", name, wanted.providers), where=f"{WHERE}, options")
    if wanted.provider_options.get(CPU):
        option = next(iter(wanted.provider_options[CPU]))
        raise EngineError(f"{CPU} takes no options, so {option!r} would be ignored", where=WHERE, remedy="leave it out")
    if not wanted.cpu_fallback and CPU in wanted.providers:
        raise EngineError(
            f"cpu_fallback = false, but providers names {CPU}", where=WHERE, remedy="take it out of providers"
        )
    if wanted.device and not wanted.plugin:
        raise EngineError(
            f"device = {wanted.device!r} without a plug-in would be ignored", where=WHERE,
            remedy="leave it out; a provider that is built in has its device among its options",
        )  # fmt: skip
    if wanted.plugin and len(wanted.providers) != 1:
        raise EngineError(
            "an entry with a plug-in names its provider alone", where=f"{WHERE}, providers",
            remedy="leave the others out; the CPU takes the rest where cpu_fallback allows it",
        )  # fmt: skip


def options_of(given: Optional[Mapping[str, Mapping[str, str]]]) -> Dict[str, Dict[str, str]]:
    """A copy of provider options, values as text."""
    return {name: {key: str(value) for key, value in values.items()} for name, values in (given or {}).items()}
