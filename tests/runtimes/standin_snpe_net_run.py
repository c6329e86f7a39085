"""A stand-in for snpe-net-run: its options, Result_N folders and a log that only its own viewer reads."""

from __future__ import annotations

import array
import json
import sys
from pathlib import Path

from standin import FAULT, given, hold_or_die, option, scores


def main() -> None:
    hold_or_die()
    if FAULT == "refuse" and given("use_dsp"):
        print("error_code=500; error_message=Target runtime is not available. layer conv1 not supported on DSP")
        sys.exit(1)
    lines = [line for line in Path(option("input_list")).read_text().splitlines() if line]
    out = Path(option("output_dir"))
    for number, line in enumerate(lines):
        folder = out / f"Result_{number}"
        folder.mkdir(parents=True)
        values = array.array("f", scores(line.partition(":=")[2]))
        (folder / "scores:0.raw").write_bytes(values.tobytes())
    if option("profiling_level") != "off":
        unit = next((one.upper() for one in ("gpu", "dsp", "aip") if given(f"use_{one}")), "CPU")
        log = {"unit": unit, "frames": len(lines), "level": option("profiling_level")}
        (out / "SNPEDiag_0.log").write_text(json.dumps(log))


main()
