"""The jtop service of jetson-stats as a cross-check of the rails and temperatures; never run on the device.

Its API is that of its reference and of versions 4.1 to 7. The library is AGPL-3.0: imported here only, when asked for.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from typing import Any, Deque, Dict, List, Mapping, Tuple

from harness.probes import ProbeError, Reading, Sample, polled
from harness.telemetry import Channel

OFF_C = -256.0
REMEDY = "start its service (systemctl start jtop), join the group jtop, and let both have the same version"
# Older versions list negotiated USB supplies among the rails, such as 1-00081: nothing measures those.
RAIL = re.compile("[A-Z][A-Z0-9_]*")

Quantities = Dict[str, Tuple[str, Reading]]


class Jtop:
    """Channels, as jtop has them at the start: each rail by its name, and temp.NAME.

    jtop keeps the interval of its first client, here or elsewhere; the fact `interval_ms` is the one it keeps.
    """

    rate_hz = 1.0

    def __init__(self, interval_ms: int = 1000) -> None:
        self.rate_hz = 1e3 / max(interval_ms, 1)
        self.channels: Tuple[Channel, ...] = ()
        self._interval_ms = interval_ms
        self._client: Any = None
        self._version = ""
        self._samples: Deque[Sample] = deque()

    def __enter__(self) -> Jtop:
        try:
            import jtop
        except ImportError as error:
            remedy = "pip install 'dms-harness[jetson]'"
            raise ProbeError("jetson-stats is not installed", where="jtop", remedy=remedy) from error
        self._version = str(getattr(jtop, "__version__", ""))
        try:
            client = jtop.jtop(interval=self._interval_ms / 1e3)
            client.attach(self._arrived)
            client.start()
        # Beside its own error it raises what sockets, pickles and version checks raise.
        except Exception as error:
            raise ProbeError(f"jtop does not answer: {error}", where="jtop", remedy=REMEDY) from error
        self._client = client
        self._begin()
        return self

    def __exit__(self, *error: object) -> None:
        if self._client is not None:
            self._client.close()

    def read(self) -> List[Sample]:
        samples = [self._samples.popleft() for _ in range(len(self._samples))]
        fault = "" if samples else self._fault()
        return polled([fault] * len(self.channels)) if fault else samples

    def facts(self) -> Dict[str, Any]:
        kept_s = getattr(self._client, "interval", None)
        kept_ms = round(1e3 * kept_s) if isinstance(kept_s, (int, float)) else None
        return {"version": self._version, "interval_ms": kept_ms, "interval_ms_asked": self._interval_ms}

    def _begin(self) -> None:
        found = quantities(self._client)
        if not any(isinstance(value, float) for _, value in found.values()):
            self.__exit__()
            raise ProbeError("jtop gives neither a rail nor a temperature", where="jtop", remedy="look at `jtop`")
        self.channels = tuple(Channel(name, unit) for name, (unit, _) in found.items())

    def _arrived(self, client: Any) -> None:
        """Called in the library's thread with each new status: the only sign of when it came."""
        if not self.channels:
            return
        found = quantities(client)
        readings = [found[one.name][1] if one.name in found else "not in this status" for one in self.channels]
        self._samples.append((time.monotonic_ns(), readings))

    def _fault(self) -> str:
        try:
            return "" if self._client.ok(spin=True) else "jtop has ended"
        # It raises here whatever went wrong in its thread.
        except Exception as error:
            return f"jtop has ended: {error}"


def quantities(client: Any) -> Quantities:
    """Channel name -> unit, and the number or why there is none.

    The total is taken only where jtop says that it is one rail, under that rail's name: jtop takes that rail out
    of its list. Elsewhere it is a sum that counts a rail of AGX Orin twice.
    """
    power = _mapping(client.power)
    rails = dict(_mapping(power.get("rail")))
    total = _mapping(power.get("tot"))
    if total.get("name"):
        rails[total["name"]] = total
    found: Quantities = {}
    for name, values in rails.items():
        if RAIL.fullmatch(str(name)):
            found[str(name)] = ("mW", _number(values, "power"))
    for name, values in _mapping(client.temperature).items():
        found[f"temp.{name}"] = ("C", _number(values, "temp"))
    return found


def _number(values: Any, key: str) -> Reading:
    told = _mapping(values)
    value = told.get(key)
    if told.get("online") is False or value == OFF_C:
        return "the sensor is off"
    if isinstance(value, (int, float)) and math.isfinite(value):
        return float(value)
    return f"jtop gives no {key} for it"


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
