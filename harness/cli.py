"""The console command `harness`: what is not a measurement."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import __version__
from harness.errors import ConfigError, HarnessError, printable

CONFIG_STATUS = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: 0, or 4 with a sentence on standard error."""
    parsed = _parser().parse_args(arguments)
    try:
        text: str = parsed.command(parsed)
    except HarnessError as error:
        sys.stderr.write(f"harness: {error.sentence}\n")
        return CONFIG_STATUS
    sys.stdout.write(text + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="harness", description="Benchmark and regression harness for driver-monitoring models. "
        "Measuring is pytest's job: pytest suites/ --device=NAME",
    )  # fmt: skip
    parser.add_argument("--version", action="version", version=f"dms-harness {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add = commands.add_parser("add-model", help="make a card for a model file (.onnx or .tflite), ready to measure")
    add.add_argument("file", type=Path)
    add.add_argument(
        "--into", type=Path, default=Path("suites/models"), help="folder of model cards (default: %(default)s)"
    )
    add.add_argument("--name", default=None, help="the model's name (default: from the file's name)")
    add.set_defaults(command=_add_model)
    devices = commands.add_parser("devices", help="list the device profiles and their runtimes")
    devices.add_argument("--folder", type=Path, default=Path("devices"), help="(default: %(default)s)")
    devices.set_defaults(command=_devices)
    return parser


def _add_model(parsed: argparse.Namespace) -> str:
    from harness.addmodel import add_model, summary

    return summary(add_model(parsed.file, parsed.into, parsed.name))


def _devices(parsed: argparse.Namespace) -> str:
    from harness.profile import read_profile

    names = sorted(path.stem for path in parsed.folder.glob("*.toml") if not path.name.endswith(".local.toml"))
    if not names:
        raise ConfigError("there are no device profiles", where=str(parsed.folder), remedy="write devices/NAME.toml")
    profiles = [read_profile(name, parsed.folder) for name in names]
    return "\n".join(f"{one.name:<14}{', '.join(one.runtimes):<36}{printable(one.description)}" for one in profiles)


if __name__ == "__main__":
    sys.exit(main())
