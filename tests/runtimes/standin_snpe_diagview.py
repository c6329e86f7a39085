"""A stand-in for snpe-diagview: averages, and layers where the profiling level was `detailed`."""

from __future__ import annotations

import json
from pathlib import Path

from standin import FAULT, option

LOG = json.loads(Path(option("input_log")).read_text())


def main() -> None:
    print("Interpreting file serialized with Flatbuffer\nSoftware library version: 2.30.0.1\n")
    print("Load: 200 us\nInit: 40000 us\nRPC Init Time: 0 NONE\n")
    if FAULT == "cut":
        return
    accelerator = 0 if LOG["unit"] == "CPU" else 900
    print("Average SNPE Statistics:\n------------------------------\nTotal Inference Time: 3600 us")
    print(f"Forward Propagate Time: 3500 us\nAccelerator Time: {accelerator} us\n\nLayer Times: \n---------------")
    if LOG["level"] == "detailed":
        units = [LOG["unit"]] * 3 + (["CPU"] if FAULT == "fallback" else [LOG["unit"]])
        for number, unit in enumerate(units):
            print(f"{number}: {100 + number} {'cycles' if unit == 'DSP' else 'us'} : {unit}")


main()
