"""What TI's TIDL examples print: the statistics block, the line `Completed_Model`, the raw time stamps.

Format: examples/jupyter_notebooks and examples/osrt_python of TexasInstruments/edgeai-tidl-tools. The block is of the
last inference alone, and PC emulation prints the same one as a board. Lines of a board are read after the examples'
source and published logs.
"""

from __future__ import annotations

import re
from typing import Dict, Match

from harness.tooloutput.figures import Draft, ToolOutput

BLOCK = re.compile(
    r"^\s*(?:(?P<fps>Inferences Per Second)|(?P<time>Inference Time Per Image)|(?P<ddr>DDR BW Per Image))"
    r"\s*:\s*(?P<value>\S+)\s*(?P<unit>\S*)\s*$"
)
COMPLETED = re.compile(
    r"Name : (.*?)\s*, Total time :\s*(\S+), Offload Time :\s*(\S+)\s*, DDR RW MBs :\s*([^\s,]+)(?:, Output.*)?\s*$"
)
SUBGRAPHS = re.compile(r"(?:Final number of subgraphs created are :\s*|Number of subgraphs:\s*)(\d+)")
NODES = re.compile(
    r"Offloaded Nodes\s*-?\s*(\d+),?\s*(?:-\s*)?Total Nodes\s*-?\s*(\d+)|(\d+) nodes delegated out of (\d+) nodes"
)
STAMP = re.compile(r"'((?:ts|ddr):\w+)':\s*(\d+)")
ON_BOARD = re.compile(r"REMOTE_SERVICE: Init|MEM: Initialized DMA HEAP")
CHATTER = re.compile(
    r"\s*|Statistics\s*:\s*|(?:APP|MEM|IPC|REMOTE_SERVICE): .*|.*VX_ZONE_\w+:.*|.*GTC Frequency.*|libtidl\w+ loaded.*|"
    r"Available execution providers.*|Running\s?_?\d* ?Models?.*|Saving image to.*"
)
WITHOUT_COPIES = "the last inference, without copies where there is one subgraph, with them where there are more"


def read_tidl(text: str) -> ToolOutput:
    """One run's text; a number is left out where the example prints a constant 0."""
    draft = Draft("tidl")
    stamps: Dict[str, int] = {}
    for line in draft.lines(text):
        found = STAMP.findall(line)
        if found:
            stamps.update((key, int(value)) for key, value in found)
        elif not _line(draft, line) and not CHATTER.fullmatch(line):
            draft.unread(line)
    if stamps:
        _stamps(draft, stamps)
    _where(draft, bool(ON_BOARD.search(text)))
    return draft.done()


def _line(draft: Draft, line: str) -> bool:
    block, completed = BLOCK.match(line), COMPLETED.search(line)
    subgraphs, nodes = SUBGRAPHS.search(line), NODES.search(line)
    if block:
        _block(draft, block, line)
    elif completed:
        _completed(draft, completed, line)
    if subgraphs:
        draft.add("partitions", subgraphs[1], "", "count", "", line)
    if nodes:
        draft.add("delegated nodes", nodes[1] or nodes[3], "", "count", "", line)
        draft.add("nodes", nodes[2] or nodes[4], "", "count", "", line)
    return any((block, completed, subgraphs, nodes))


def _block(draft: Draft, found: Match[str], line: str) -> None:
    if found["fps"]:
        draft.add("throughput", found["value"], found["unit"], "once", "1 / latency, not counted", line)
    elif found["time"]:
        draft.add("latency", found["value"], found["unit"], "once", WITHOUT_COPIES, line)
    else:
        unit = "MB" if found["unit"] in ("M", "MB") else found["unit"]
        draft.add("ddr_traffic", found["value"], unit, "once", "reads and writes together", line)


def _completed(draft: Draft, found: Match[str], line: str) -> None:
    draft.settings["model"] = found[1].strip()
    draft.add("latency", found[2], "ms", "mean", "all frames of the run; copies as in the block", line)
    draft.add("offload", found[3], "ms", "mean", "the subgraphs alone", line)
    draft.add("ddr_traffic", found[4], "MB", "mean", "", line)


def _stamps(draft: Draft, stamps: Dict[str, int]) -> None:
    """Time stamps in ns: the sums that the examples leave out where there are several subgraphs."""
    spans = {key[: -len("_start")]: key for key in stamps if key.endswith("_start") and key[:-6] + "_end" in stamps}
    length = {name: stamps[name + "_end"] - stamps[key] for name, key in spans.items()}
    if "ts:run" in length:
        draft.add("run", length["ts:run"], "ns", "once", "the last inference, copies and CPU layers included")
    for part in ("copy_in", "proc", "copy_out"):
        own = [value for name, value in length.items() if name.startswith("ts:subgraph") and name.endswith("_" + part)]
        if own:
            draft.add(part, sum(own), "ns", "once", f"sum over {len(own)} subgraphs, the last inference")
    for part in ("read", "write"):
        if f"ddr:{part}" in length:
            draft.add(f"ddr_{part}", length[f"ddr:{part}"], "bytes", "once", "the counter named so, not swapped")


def _where(draft: Draft, board: bool) -> None:
    if board:
        draft.settings["ran on"] = "a board: its remote cores answered"
    else:
        draft.warn("this may be PC emulation, which prints the same block: nothing here shows that a board's cores ran")
    if draft.numbers:
        draft.warn("the statistics block is of one inference, without warm-up or percentiles")
    if any(one.name == "ddr_traffic" for one in draft.numbers):
        draft.warn("the examples swap the DDR counters of reading and writing; only their sum is right")
