"""What the engines over qnn-net-run and snpe-net-run share: a tool, its viewer, and one process for all frames."""

from __future__ import annotations

import tempfile
from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar, List, Mapping, Optional, Sequence, Tuple

from harness.errors import EngineError
from harness.runtimes.command import Finished, Tensors, Tool, Windowed
from harness.runtimes.netrun import read_results, read_tensors, write_input_list


class NetRun(Windowed):
    """A tool that runs the frames of a list, and a viewer that shows the profile which it writes.

    tool: its name. profiles: how its versions call the profile. unprofiled: what asks it for none.
    """

    tool: ClassVar[str]
    profiles: ClassVar[Tuple[str, ...]]
    unprofiled: ClassVar[Tuple[str, ...]] = ()

    def __init__(
        self, model_path: str, command: str, viewer: str, perf_profile: str, arguments: Sequence[str],
        environment: Optional[Mapping[str, str]], deadline_s: float,
    ) -> None:  # fmt: skip
        self._model_path, self._perf_profile, self._arguments = model_path, perf_profile, tuple(arguments)
        self._net_run = Tool(command, "command", deadline_s, environment or {})
        self._viewer = Tool(viewer, "viewer", deadline_s, environment or {})

    def prepare(self) -> None:
        """Find both tools."""
        self._net_run.find()
        self._viewer.find()

    def __enter__(self) -> Any:
        self.inputs, self.outputs = read_tensors(self._model_path)
        return self

    def infer_many(self, feeds: Sequence[Tensors]) -> List[Tensors]:
        """The outputs of each frame, all from one process."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            self._run(feeds, len(feeds), folder, self.unprofiled)
            return read_results(folder / "output", len(feeds), self.outputs)

    def _run(self, feeds: Sequence[Tensors], frames: int, folder: Path, more: Sequence[str]) -> Finished:
        """One process over `frames` frames, the feeds in turn; its files lie under `output` of the folder."""
        listed = write_input_list(feeds, frames, self.inputs, folder)
        profile = ("--perf_profile", self._perf_profile) if self._perf_profile else ()
        return self._net_run.run(
            [*self._model_arguments(), "--input_list", str(listed), "--output_dir", str(folder / "output"), *profile,
             *more, *self._arguments], folder,
        )  # fmt: skip

    @abstractmethod
    def _model_arguments(self) -> Sequence[str]:
        """The model, and what runs it."""

    def _profile_log(self, folder: Path) -> Path:
        """The profile that the process in `folder` wrote; EngineError where it wrote none."""
        written = [path for path in (folder / "output" / name for name in self.profiles) if path.is_file()]
        if not written:
            raise EngineError(f"{self.tool} wrote no profile ({' or '.join(self.profiles)})", where=self._model_path)
        return written[0]
