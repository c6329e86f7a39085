"""What a pytest session needs that nobody watches: the case journal, failure classes, quarantine, and resuming.

journaling.py, header.py   write the case journal while tests run
resume.py, keptcase.py     which cases of an interrupted run count again, and where they are kept
forgiving.py               whose fault a failed test is, and what is in quarantine
quarantine.py              quarantine.toml
exitcodes.py               one exit status for all cases
commands.py                harness quarantine, harness junit
"""

from __future__ import annotations

import pytest

from harness.case import Case
from harness.invocation import Invocation, case_of
from harness.unattended.forgiving import Forgiving
from harness.unattended.forgiving import note_red as note_red
from harness.unattended.journaling import Journaling


def add_options(group: pytest.OptionGroup) -> None:
    """The options of this part."""
    group.addoption(
        "--quarantine", default="", metavar="FILE", help="cases that may fail for now (default: quarantine.toml of the "
        "repository, where there is one)",
    )  # fmt: skip
    group.addoption("--resume", default="", metavar="DIR", help="go on with the interrupted run whose report is there")


def register(config: pytest.Config, invocation: Invocation) -> None:
    """Let them watch the session; they do nothing in one that measures nothing."""
    forgiving = Forgiving(config, invocation)
    config.pluginmanager.register(forgiving, "dms-forgiving")
    config.pluginmanager.register(Journaling(config, invocation), "dms-journaling")


def in_case_order(items: list[pytest.Item]) -> None:
    """Sort: all tests of a case in a row, so that it is over when the last of them is; what asks for the rest last."""
    first: dict[Case, int] = {}
    for place, item in enumerate(items):
        case = case_of(item)
        if case is not None:
            first.setdefault(case, place)
    keys = {item: (_place(item, first, place), _asks_for_the_rest(item)) for place, item in enumerate(items)}
    items.sort(key=keys.__getitem__)


def _place(item: pytest.Item, first: dict[Case, int], place: int) -> int:
    case = case_of(item)
    return place if case is None else first[case]


def _asks_for_the_rest(item: pytest.Item) -> bool:
    return "check_the_rest" in getattr(item, "fixturenames", ())
