"""A device for every transport, all of them this machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.transports import Reach, Transport, open_transport
from tests.transports.sshd import sshd as sshd

FAKE = Path(__file__).parent / "fake_adb"


class Phone:
    """The device behind the fake adb."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def be(self, mode: str) -> None:
        (self.folder / "mode").write_text(mode)

    def go_stale(self) -> None:
        """Away without a word: adb blocks until it is told to forget the connection."""
        (self.folder / "stale").touch()

    @property
    def said(self) -> list[str]:
        said = self.folder / "said"
        return said.read_text().splitlines() if said.exists() else []

    def reach(self, address: str = "R3CT10") -> Reach:
        return Reach(device="phone", transport="adb", address=address, options={"scratch": str(self.folder)})


@pytest.fixture
def phone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Phone:
    """A device by the fake adb, which is first on the PATH."""
    folder = tmp_path / "phone"
    folder.mkdir()
    (folder / "adb").symlink_to(FAKE)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_ADB", str(folder))
    return Phone(folder)


@pytest.fixture(params=["local", "ssh", "adb"])
def reach(request: pytest.FixtureRequest) -> Reach:
    """How to reach this machine by each transport."""
    if request.param == "local":
        return Reach(device="here", transport="local")
    owner = request.getfixturevalue("sshd" if request.param == "ssh" else "phone")
    found: Reach = owner.reach()
    return found


@pytest.fixture
def transport(reach: Reach) -> Iterator[Transport]:
    """This machine, by each transport."""
    with open_transport(reach) as entered:
        yield entered


@pytest.fixture
def until() -> Callable[[Callable[[], object]], bool]:
    """Whether something comes true within a few seconds."""
    import time

    def come_true(condition: Callable[[], object], within_s: float = 5) -> bool:
        end = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    return come_true
