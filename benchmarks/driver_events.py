"""The shipped cascade on synthetic clips of driver behaviour under stalls, through two filters.

    python benchmarks/driver_events.py --clips 4 --seconds 27

`harness events` scores a cascade; this says what a stall of a second every five costs it, and what the filter's choice
about lost frames changes. Every frame is drawn once, in this process, with one thread of the host profile's engine.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from harness.cascadecard import read_cascade
from harness.events import Answers
from harness.events.answering import Answered
from harness.events.clip import BehaviourClip
from harness.events.conditions import Condition, at_the_cameras_pace
from harness.events.filters import StateFilter
from harness.events.timeline import draw
from harness.events.trial import trial
from harness.eventscores.systems import Maker
from harness.profile import read_profile
from harness.tasks.preprocess import one_thread

CHECKOUT = Path(__file__).resolve().parents[1]
FILTERS = {"a lost frame shows nothing": StateFilter(), "lost frames are skipped": StateFilter(missing="skipped")}
FPS, STALL_NS, STALL_EVERY = 30.0, 1_000_000_000, 150


def main() -> None:
    """Run the trial and print what it says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=27.0)
    chosen = parser.parse_args()
    one_thread()
    maker = Maker(
        card=read_cascade(CHECKOUT / "suites/pipelines/cabin"), profile=read_profile("host", CHECKOUT / "devices"),
        models=CHECKOUT / "suites/models", cache=CHECKOUT / ".cache/dms-harness",
    )  # fmt: skip
    clips = [BehaviourClip(draw(100 + number, chosen.seconds), number=number) for number in range(chosen.clips)]
    system = replace(maker.system(), true_regions=True)
    found = trial(clips, {"cabin": system}, say=lambda line: print(line, flush=True))
    for words, filter in FILTERS.items():
        print(f"a stall of 1 s every 5 s; {words}:")
        loss = found.worse_under("cabin", filter, stalled())
        print(*(f"  {one}" for one in loss.sentences("all frames", "the stalled run")), sep="\n")


def stalled() -> Condition:
    """The camera's pace with one frame of 150 taking a second."""
    pace = at_the_cameras_pace(FPS, "drop-stale")

    def apply(number: int, one: Answered) -> Answers:
        service_ns = one.service_ns.copy()
        service_ns[STALL_EVERY - 1 :: STALL_EVERY] = STALL_NS
        return pace.apply(number, replace(one, service_ns=service_ns))

    return Condition(name="stalls", apply=apply)


if __name__ == "__main__":
    main()
