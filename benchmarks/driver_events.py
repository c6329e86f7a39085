"""The shipped models on synthetic clips of driver behaviour: detection, delays, false alarms, INT8, dropped frames.

    python benchmarks/driver_events.py --clips 8 --seconds 25

Every frame is drawn once and shown to both variants, in this process, with one thread of ONNX Runtime.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from harness.camera import Arrivals, due_ns
from harness.camera.policies import simulate
from harness.events.answering import variant_files
from harness.events.clip import BehaviourClip
from harness.events.filters import StateFilter
from harness.events.timeline import draw
from harness.events.trial import Trial, trial
from harness.model import read_card
from harness.tasks.preprocess import one_thread

MODELS = Path(__file__).parents[1] / "suites" / "models"
NAMES = ("eye_state", "gaze", "distraction")
FILTERS = {"a lost frame shows nothing": StateFilter(), "lost frames are skipped": StateFilter(missing="skipped")}
SERVICE_NS, STALL_NS, STALL_EVERY = 5_200_000, 1_000_000_000, 150


def main() -> None:
    """Run the trial and print what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=25.0)
    chosen = parser.parse_args()
    one_thread()
    cards = [read_card(MODELS / name) for name in NAMES]
    clips = [BehaviourClip(draw(100 + number, chosen.seconds), number=number) for number in range(chosen.clips)]
    clips.append(BehaviourClip(draw(300, chosen.seconds, kinds=()), number=chosen.clips))
    systems = {name: variant_files(cards, name) for name in ("fp32", "int8")}
    found = trial(clips, systems, say=lambda line: print(line, flush=True))
    print(*found.sentences(StateFilter()), sep="\n")
    print(*found.compare("fp32", "int8", StateFilter()).sentences("fp32", "int8"), sep="\n")
    for words, filter in FILTERS.items():
        print(f"frames dropped by a stall of 1 s every 5 s; {words}:")
        print(*_under_stalls(found, filter, len(clips[0])), sep="\n")


def _under_stalls(found: Trial, filter: StateFilter, frames: int) -> tuple[str, ...]:
    arrivals = Arrivals(fps=30.0, policy="drop-stale")
    service = np.full(frames, SERVICE_NS)
    service[STALL_EVERY - 1 :: STALL_EVERY] = STALL_NS
    run = simulate(due_ns(arrivals, frames), service, arrivals.policy)
    loss = found.under_drops("fp32", filter, run.dropped.tolist())
    said = loss.sentences("all frames", "the stalled run")
    return (f"  {len(run.dropped)} of {frames} frames", *(f"  {one}" for one in said))


if __name__ == "__main__":
    main()
