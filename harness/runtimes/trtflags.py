"""What one version of trtexec understands: asked of its own --help, since options came, went and turned round."""

from __future__ import annotations

from typing import Collection, List, Mapping, Sequence, Tuple

from harness.errors import EngineError

# Version 11 leaves transfers out, spins and captures a graph by default: both directions are said where it has a word.
SWITCHES = (
    ("Data transfers", "includeDataTransfers", "noDataTransfers"),
    ("Spin-wait", "useSpinWait", "noSpinWait"),
    ("CUDA Graph", "useCudaGraph", "noCudaGraph"),
)


class Flags:
    """The options of one version. EngineError where this is no trtexec."""

    def __init__(self, version: Tuple[int, int, int], known: Collection[str]) -> None:
        if not any(version) or "loadEngine" not in known:
            raise EngineError("its --help is not that of trtexec", where="option command of the device profile")
        self.version, self._known = version, frozenset(known)

    @property
    def version_words(self) -> str:
        return ".".join(map(str, self.version))

    def first(self, *names: str) -> List[str]:
        """The first of these that this version has."""
        return [f"--{name}" for name in names if name in self._known][:1]

    def valued(self, name: str, value: str) -> List[str]:
        """`--name=value` where this version has it."""
        return [f"--{name}={value}"] if name in self._known else []

    def precisions(self, names: Sequence[str]) -> List[str]:
        """EngineError where this version has no such option: never a build without it."""
        absent = [name for name in names if name not in self._known]
        if absent:
            raise EngineError(
                f"trtexec {self.version_words} has no --{absent[0]}: its networks are strongly typed",
                where=f"option {absent[0]} of the runtime in the device profile",
                remedy="quantise or cast the model itself (QDQ nodes, float16 tensors) and take the option out",
            )
        return [f"--{name}" for name in names]

    def workspace(self, size_mib: int) -> List[str]:
        """--workspace until 8.3, a pool since."""
        if not size_mib:
            return []
        return self.valued("memPoolSize", f"workspace:{size_mib}") or [f"--workspace={size_mib}"]

    def switches(self, wanted: Mapping[str, bool]) -> List[str]:
        """Of SWITCHES, by their names in the log."""
        return [flag for name, on, off in SWITCHES for flag in self.first(on if wanted[name] else off)]
