"""The `runtime` fixture: an engine with a model, as the device profile provides it, behind a process wall."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from harness.case import Array, Case
from harness.datasets import Box
from harness.errors import ConfigError
from harness.frames import Frame, write_pack
from harness.session import Session


class ProvisionedRuntime:
    """One case's engine. Nothing is loaded in this process: a crash of the engine fails the call, not the session."""

    def __init__(self, session: Session, case: Case) -> None:
        self._session = session
        self.case = case
        self.engine = session.setup.profile.engine(case.runtime)
        self.options: Mapping[str, Any] = session.setup.profile.engine_options(case.runtime)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What really ran when the case was measured: version, precision, threads, providers, placement."""
        return self._session.measurement(self.case).runs[0].facts

    def predict(self, frames: Iterable[Array], regions: Iterable[Box] = ()) -> tuple[Array, ...]:
        """One prediction per uint8 frame ([h, w] or [h, w, 3]), in the form that harness.tasks documents.

        regions: x1 y1 x2 y2 of each frame, for a model whose card names a `roi`. HarnessError where these
        are missing, or the engine cannot be provisioned or fails.
        """
        shown, boxes = list(frames), list(regions)
        roi = self._session.cases[self.case].input.roi
        if (roi or boxes) and len(boxes) != len(shown):
            looks = f"the region {roi!r}" if roi else "whole frames"
            raise ConfigError(
                f"{len(boxes)} regions for {len(shown)} frames: {self.case.model} looks at {looks}",
                remedy="give predict one region per frame" if roi else "give predict frames only",
            )
        with tempfile.TemporaryDirectory() as folder:
            write_pack(Path(folder), (Frame(*one) for one in zip_longest(shown, boxes)))
            return self._session.predict(self.case, Path(folder)).predictions
