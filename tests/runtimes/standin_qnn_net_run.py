"""A stand-in for qnn-net-run: its options, Result_N folders and a profile that only its own viewer reads."""

from __future__ import annotations

import array
import json
import sys
from pathlib import Path

from standin import FAULT, hold_or_die, option, scores


def main() -> None:
    print("qnn-net-run build version: v2.45.0.250101000000")
    hold_or_die()
    if option("retrieve_context") and FAULT == "soc":
        print(
            "[ ERROR ] Request feature arch with value 75 unsupported\n[ ERROR ] Could not create context from binary"
        )
        sys.exit(1)
    if not (option("model") or option("retrieve_context")) or not option("backend"):
        sys.exit("required arguments are missing")
    lines = [line for line in Path(option("input_list")).read_text().splitlines() if line]
    out = Path(option("output_dir", "output"))
    frames = int(option("num_inferences", str(len(lines))))
    for number in range(min(len(lines), int(option("keep_num_outputs", "1000000")))):
        write(out / f"Result_{number}", lines[number].partition(":=")[2])
    if option("profiling_level"):
        times = [9000, 5000, *([2900, 2904] * frames)][:frames]
        (out / "qnn-profiling-data_0.log").write_text(json.dumps(times[: frames - (FAULT == "fewer" and frames > 1)]))
    print("Finished Executing Graphs")


def write(folder: Path, path: str) -> None:
    folder.mkdir(parents=True)
    values = array.array("f", scores(path))
    (folder / "scores.raw").write_bytes(values.tobytes()[: 4 if FAULT == "short" else 8])
    if FAULT == "outputs":
        (folder / "extra.raw").write_bytes(values.tobytes())


main()
