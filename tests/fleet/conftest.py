"""A lab for the tests of fleets."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.labgridlab import SERVICE, LabgridLab, require_labgrid


def _lab(folder: Path) -> Iterator[LabgridLab]:
    require_labgrid()
    lab = LabgridLab(folder)
    try:
        lab.start_coordinator()
        yield lab
    finally:
        lab.stop()


@pytest.fixture(scope="module")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabgridLab]:
    """Three boards: `a1` and `a2` of kind a, `b1` of kind b; nothing that a test does to it lasts."""
    for lab in _lab(tmp_path_factory.mktemp("labgrid")):
        lab.start_exporter("exp", {"a1": SERVICE, "a2": SERVICE, "b1": SERVICE})
        for name in ("a1", "a2", "b1"):
            lab.add_place(name, f"exp/{name}/NetworkService", board=name[0], site="bench")
        yield lab


@pytest.fixture
def own_lab(tmp_path: Path) -> Iterator[LabgridLab]:
    """A coordinator that a test may break."""
    yield from _lab(tmp_path)


@pytest.fixture
def closed_port() -> int:
    """A port of this machine where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port where the kernel takes connections and nobody ever says a word: a frozen program."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        yield one.getsockname()[1]
