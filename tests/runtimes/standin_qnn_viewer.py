"""A stand-in for qnn-profile-viewer: the text on standard output, the CSV where --output says."""

from __future__ import annotations

import json
from pathlib import Path

from standin import FAULT, option

TIMES = json.loads(Path(option("input_log")).read_text())
MEAN = sum(TIMES) // max(len(TIMES), 1)


def main() -> None:
    if FAULT == "other viewer":
        print("Unsupported log version")
        return
    print("Input Log File Location: x\n\nQnn Init/Prepare/Finalize/De-Init/Execute/Lib-Load Statistics:\n")
    print("--- Init Stats:\n\n---\n    NetRun:  300000 us\n")
    print("Finalize Stats:\n\n--- Graph 0 (net):\n    NetRun:  100000 us\n    Backend (RPC (finalize) time): 0 NONE\n")
    print("Execute Stats (Average):\n\n--- Total Inference Time:\n\n--- Graph 0 (net):")
    print(f"    NetRun:  {MEAN} us\n    Backend (Accelerator (execute) time): {MEAN // 4} us\n")
    print(f"Execute Stats (Overall):\n\n---\n    NetRun IPS (includes IO and misc. time):  {1e6 / MEAN:.4f} inf/sec")
    if option("output") and FAULT != "no csv":
        Path(option("output")).write_text(rows())


def rows() -> str:
    head = "Msg Timestamp, Message, Time, Unit of Measurement, Timing Source, Event Level, Event Identifier"
    each = [
        f"{1000 + at},EXECUTE,{time},US,NETRUN,ROOT,Graph 0: net\n"
        f"{1000 + at},EXECUTE,{time // 4},US,BACKEND,ROOT,Accelerator (execute) time\n"
        f"{1000 + at},EXECUTE,5,CYCLES,BACKEND,SUB-EVENT,conv1:OpId_7 (cycles)"
        for at, time in enumerate(TIMES)
    ]
    text = "\n".join(["QNN profile", "", head, "900,INIT,300000,US,NETRUN,ROOT,NetRun", *each]) + "\n"
    return text[:-30] if FAULT == "truncated" else text


main()
