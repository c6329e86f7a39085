"""Fake boards and profiles for the benchmarks of this room."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.boards import CHECKOUT, Board, Lab
from tests.lab.measuring import toml
from tests.lab.namespaces import missing

MIB = 2**20


@contextmanager
def laboratory() -> Iterator[Lab]:
    """A lab of fake boards; ends the program with a sentence where this machine can have none."""
    why = missing()
    if why:
        raise SystemExit(f"no fake boards: {why.reason}")
    with Lab() as lab:
        yield lab


def profile_text(runtimes: str, board: Board | None = None, **properties: Any) -> str:
    """A device profile of this machine, or of the same machine behind ssh as a fake board."""
    head = 'description = "benchmark"\n'
    if board is None:
        return f'{head}transport = "local"\n\n{runtimes}'
    table: Mapping[str, Any] = {"identity_file": str(board.lab.key), "min_free_mib": 1, **properties}
    lines = "\n".join(f"{name} = {toml(value)}" for name, value in table.items())
    return (
        f'{head}transport = "ssh"\naddress = "root@{board.address}"\npython = "{sys.executable}"\n\n'
        f"[board]\n{lines}\n\n{runtimes}"
    )


def write_devices(folder: Path, texts: Mapping[str, str], boards: list[Board]) -> None:
    """devices/ with these profiles, and the keys of all boards."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    (folder / "known_hosts").write_text("".join(board.known_hosts for board in boards), encoding="utf-8")


__all__ = ["CHECKOUT", "MIB", "laboratory", "profile_text", "write_devices"]
