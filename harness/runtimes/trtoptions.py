"""What a profile asks of trtexec, said in the words of one version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Tuple

from harness.runtimes.trtflags import Flags

TRANSFERS = "Data transfers"


@dataclass(frozen=True)
class TrtOptions:
    """As the options of TrtExec. wanted: what is on, by the names of `trtflags.SWITCHES`."""

    fp16: bool
    int8: bool
    workspace_mib: int
    dla: int
    gpu_fallback: bool
    shapes: Mapping[str, str]
    wanted: Mapping[str, bool]
    build_arguments: Tuple[str, ...]
    arguments: Tuple[str, ...]

    @property
    def unit(self) -> str:
        """Where the profile promises that the engine runs."""
        return f"DLA{self.dla}" if self.dla >= 0 else "GPU"

    @property
    def units(self) -> List[str]:
        """All that may run a part of it."""
        return [self.unit, "GPU"] if self._falls_back else [self.unit]

    def build_flags(self, flags: Flags) -> List[str]:
        """Of a build; EngineError for a precision that this version does not take."""
        precisions = [name for name, on in (("fp16", self.fp16), ("int8", self.int8)) if on]
        fallback = ["--allowGPUFallback"] if self._falls_back else []
        shapes = [f"--{which}Shapes={self._shape_words}" for which in ("min", "opt", "max") if self.shapes]
        return [
            *flags.precisions(precisions), *flags.workspace(self.workspace_mib), *self._core, *fallback, *shapes,
            *flags.valued("profilingVerbosity", "detailed"), *self.build_arguments,
        ]  # fmt: skip

    def run_flags(self, flags: Flags, instead: Optional[Dict[str, bool]] = None) -> List[str]:
        """Of an inference, where nothing warms up but what is asked for. instead: other switches than those wanted."""
        shapes = [f"--shapes={self._shape_words}"] if self.shapes else []
        switches = flags.switches({**self.wanted, **(instead or {})})
        return ["--warmUp=0", "--duration=0", *self._core, *shapes, *switches, *self.arguments]

    @property
    def _falls_back(self) -> bool:
        return self.dla >= 0 and self.gpu_fallback

    @property
    def _core(self) -> List[str]:
        return [f"--useDLACore={self.dla}"] if self.dla >= 0 else []

    @property
    def _shape_words(self) -> str:
        return ",".join(f"{name}:{sizes}" for name, sizes in self.shapes.items())
