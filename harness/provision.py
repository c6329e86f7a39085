"""The `runtime` fixture: an engine with a model, as the device profile provides it, behind a process wall."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.case import Array, Case
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

    def predict(self, frames: Iterable[Array]) -> tuple[Array, ...]:
        """One prediction per uint8 frame ([h, w] or [h, w, 3]), in the form that harness.tasks documents.

        HarnessError where the engine cannot be provisioned or fails.
        """
        with tempfile.TemporaryDirectory() as folder:
            write_pack(Path(folder), (Frame(frame) for frame in frames))
            return self._session.predict(self.case, Path(folder)).predictions
