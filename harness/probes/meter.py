"""An external power meter or supply that speaks SCPI (IEEE 488.2, SCPI-99), through PyVISA.

Never run on the device.
"""

from __future__ import annotations

import math
import re
from typing import Any, Dict, Sequence, Tuple

from harness.errors import printable
from harness.probes import ProbeError, Reading, Sample, polled
from harness.telemetry import Channel

EXTRA = "pip install 'dms-harness[meter]'"
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
# SCPI-99: 9.91E37 is not a number, 9.9E37 infinity, -9.9E37 minus infinity.
NO_VALUE = 9.9e37
LONGEST_SHOWN = 40


class Meter:
    """The channel "power".

    resource: as VISA names it, "TCPIP::192.0.2.7::5025::SOCKET" or "USB0::...::INSTR". query: what the meter answers
    with one number. setup: commands without an answer, sent once. backend: PyVISA's, "@py", "@ivi" or "FILE@sim".
    """

    rate_hz = 5.0
    channels = (Channel("power", "mW"),)

    def __init__(
        self, *, resource: str = "", query: str = "MEAS:POW?", mw_per_unit: float = 1000.0, backend: str = "@py",
        setup: Tuple[str, ...] = (), timeout_ms: int = 1000,
    ) -> None:  # fmt: skip
        self._resource, self._backend, self._timeout_ms = resource, backend, timeout_ms
        self._query, self._mw_per_unit, self._setup = query, mw_per_unit, tuple(setup)
        self._device: Any = None
        self._identity = ""
        self._fault = ""

    def __enter__(self) -> Meter:
        self._device = self._opened()
        fault = self._introduced()
        if fault:
            self.__exit__()
            remedy = "see that it speaks SCPI there and that nothing else holds it, or correct `query` or `timeout_ms`"
            raise ProbeError(fault, where=f"{self._resource}, {self._query!r}", remedy=remedy)
        return self

    def __exit__(self, *error: object) -> None:
        if self._device is not None:
            self._device.close()

    def read(self) -> Sequence[Sample]:
        return polled([self._power()])

    def facts(self) -> Dict[str, Any]:
        """identity: what the meter answers to *IDN?."""
        return {"identity": self._identity, "resource": self._resource, "query": self._query}

    def _opened(self) -> Any:
        try:
            import pyvisa
        except ImportError as error:
            raise ProbeError("PyVISA is not installed", where="pyvisa", remedy=EXTRA) from error
        try:
            return pyvisa.ResourceManager(self._backend).open_resource(
                self._resource, open_timeout=self._timeout_ms, timeout=self._timeout_ms,
                read_termination="\n", write_termination="\n",
            )  # fmt: skip
        # Backends raise what sockets, USB and YAML raise, beside PyVISA's own errors.
        except Exception as error:
            remedy = f"correct `resource` and `backend` of the meter probe; the backend @py comes with {EXTRA}"
            where = f"{self._resource!r}, backend {self._backend!r}"
            raise ProbeError(f"the meter cannot be opened: {error}", where=where, remedy=remedy) from error

    def _introduced(self) -> str:
        """Why this meter cannot be used; empty where it can."""
        try:
            for command in self._setup:
                self._device.write(command)
            self._identity = printable(self._answer("*IDN?"), 200)
        except Exception as error:
            return f"the meter does not answer *IDN?: {error}"
        first = self._power() if self._identity else "the meter answers nothing to *IDN?"
        return first if isinstance(first, str) else ""

    def _answer(self, question: str) -> str:
        self._device.write(question)
        # read() would warn of an answer without an end, and raise on bytes that are no text.
        answer: str = self._device.read_raw().decode("ascii", "replace").strip()
        return answer

    def _power(self) -> Reading:
        """After a silence the meter is not asked again: its late answer would pass for the next one."""
        if self._fault:
            return self._fault
        try:
            return milliwatts(self._answer(self._query), self._mw_per_unit)
        except Exception as error:
            self._fault = f"the meter did not answer: {error}"
            return self._fault


def milliwatts(answer: str, mw_per_unit: float) -> Reading:
    """The number that a meter answered, or why it is none."""
    shown = repr(answer[:LONGEST_SHOWN])
    if not NUMBER.fullmatch(answer):
        return f"the meter answered {shown}, which is no number"
    value = float(answer)
    if abs(value) >= NO_VALUE:
        return f"the meter has no value: it answered {shown}"
    power = value * mw_per_unit
    return power if math.isfinite(power) else f"the meter answered {shown}, times {mw_per_unit:g} no number"
