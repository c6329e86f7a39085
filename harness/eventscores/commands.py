"""The console command `harness events`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.cascadecard import CascadeCard
    from harness.eventscores.run import Wanted

OUT = Path("reports/events")
CLIPS, SECONDS, SEED = 6, 27.0, 100
Say = Callable[[str], None]


def add_events_command(commands: Any, say: Say) -> None:
    """The command `harness events`; `say` takes what a person should read while it runs."""
    what = "show a cascade synthetic clips of driver behaviour, and score its alarms"
    ends = "The exit status is 1 where a limit of the card's [events] is proven to be broken."
    parser = commands.add_parser("events", help=what, description=f"{what}. {ends} See docs/scenarios.md.")
    parser.add_argument("--pipeline", default="cabin", metavar="NAME",
                        help="in suites/pipelines, or a folder with a card (default: %(default)s)")  # fmt: skip
    parser.add_argument("--device", default="host", help="device profile (default: %(default)s)")
    parser.add_argument("--runtime", default="", help="entry of the profile (default: the first that takes each file)")
    parser.add_argument("--clips", type=int, default=CLIPS, metavar="N",
                        help="of three or more the last shows blinks alone (default: %(default)s)")  # fmt: skip
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each clip (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="what the driver does (default: %(default)s)")
    parser.add_argument("--camera", default="", metavar="FPS[:POLICY]", help="of the clips too, such as 60:queue "
                        "(default: the card's)")  # fmt: skip
    parser.add_argument("--against-variant", default="", metavar="NAME",
                        help="all stages of this variant beside the card's, event by event")  # fmt: skip
    parser.add_argument("--true-regions", action="store_true",
                        help="beside it the same models where the renderer says where to look")  # fmt: skip
    parser.add_argument("--drop-every", type=int, default=0, metavar="N", help="also with one frame of N lost")
    parser.add_argument("--dropped-from", type=Path, default=None, metavar="FOLDER",
                        help="also with the frames and delays of a recorded run at a camera's pace")  # fmt: skip
    parser.add_argument("--out", type=Path, default=OUT, metavar="FOLDER", help="(default: %(default)s)")
    parser.set_defaults(command=lambda parsed: _events(parsed, say))


def _events(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    from harness.eventscores.report import text, write_found
    from harness.eventscores.run import find_out

    wanted = _wanted(parsed)
    found = find_out(wanted, say)
    written = write_found(found, (parsed.out / found.device / found.pipeline).absolute())
    return "\n".join([text(found), "", *(f"written: {one}" for one in written)]), int(found.red)


def _wanted(parsed: argparse.Namespace) -> Wanted:
    from harness.eventscores.recorded import recorded_run
    from harness.eventscores.run import Wanted
    from harness.eventscores.systems import Maker
    from harness.identity import require_board
    from harness.profile import read_profile

    root = Path.cwd()
    profile = read_profile(parsed.device, root / "devices")
    profile.require_here("harness events")
    require_board(profile, root / "devices")
    card = _card(parsed.pipeline, root / "suites" / "pipelines")
    fps, policy = _camera(parsed.camera, card)
    recorded = None
    if parsed.dropped_from is not None:
        recorded = (parsed.dropped_from.name, recorded_run(parsed.dropped_from))
    return Wanted(
        maker=Maker(
            card=card, profile=profile, models=root / "suites" / "models", cache=root / ".cache" / "dms-harness",
            runtime=parsed.runtime,
        ),
        clips=parsed.clips, seconds=parsed.seconds, seed=parsed.seed, fps=fps, policy=policy,
        against=parsed.against_variant, true_regions=parsed.true_regions,
        drop_every=parsed.drop_every, recorded=recorded,
    )  # fmt: skip


def _card(name: str, folder: Path) -> CascadeCard:
    """A name in `folder`, or a folder of its own."""
    from harness.cascadecard import FILE, read_cascade
    from harness.errors import unknown

    if (folder / name / FILE).is_file():
        return read_cascade(folder / name)
    if (Path(name) / FILE).is_file():
        return read_cascade(Path(name).resolve())
    known = sorted(path.parent.name for path in folder.glob(f"*/{FILE}"))
    raise ConfigError(unknown("pipeline", name, known), where="--pipeline")


def _camera(text: str, card: CascadeCard) -> tuple[float, str]:
    """Rate and policy; ConfigError for a recording, because a clip has a constant rate."""
    from harness.plans import PLANS, plan_with_camera

    asked = plan_with_camera(PLANS["smoke"], text).arrivals or card.arrivals()
    if asked.timestamps:
        raise ConfigError(
            "clips come at a constant rate, and this camera's frames at recorded times", where="--camera",
            remedy="give a rate: --camera=30",
        )  # fmt: skip
    return asked.fps, asked.policy
