"""Power modes of a Jetson by NVIDIA's nvpmodel: which there are, and setting one. NEVER RUN ON A DEVICE.

Facts: NVIDIA Jetson Linux Developer Guide r36, Power Management: /etc/nvpmodel.conf lists the modes, `nvpmodel -m ID`
sets one as root, and asks for a reboot where it switches cores or parts of the GPU off that only come back so.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HarnessError
from harness.probes.clocks import POWER_MODELS, power_mode, run_tool

CONF = "etc/nvpmodel.conf"
SET_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Nvpmodel:
    """The tool and the modes of a device, name -> number as in its file."""

    modes: Mapping[str, int]
    tool: str = "nvpmodel"
    root: str = "/"

    def set(self, name: str) -> None:
        """HarnessError where the mode cannot be taken now, or was not."""
        # With nobody to answer, the tool leaves everything as it is where it would have to reboot.
        fine, said = run_tool([self.tool, "-m", str(self.modes[name])], SET_S)
        if "reboot" in said.lower():
            what = f"the mode {name} needs a reboot"
            raise HarnessError(what, where=self.tool, remedy="leave it out with --modes, or reboot into it by hand")
        if not fine:
            raise HarnessError(f"the mode {name} cannot be set: {said}", where=self.tool, remedy="run as root (sudo)")
        now = power_mode(self.root, self.tool)
        if now != name:
            raise HarnessError(f"the mode {name} was set, and the device says {now}", where=self.tool)

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Put the mode of now back in the end. HarnessError where nobody tells it, before anything is changed."""
        before = power_mode(self.root, self.tool)
        if before is None or before not in self.modes:
            raise HarnessError(f"the power mode of now is not known: {before}", where=self.tool)
        try:
            yield
        finally:
            if power_mode(self.root, self.tool) != before:
                self.set(before)


def nvpmodel(root: str = "/", tool: str = "nvpmodel") -> Nvpmodel | None:
    """None where this machine has no such modes."""
    path = Path(root) / CONF
    found = shutil.which(tool)
    if not found or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    modes = {str(name): int(number) for number, name in POWER_MODELS.findall(text)}
    return Nvpmodel(modes=modes, tool=found, root=root) if modes else None
