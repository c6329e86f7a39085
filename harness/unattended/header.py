"""What a pytest session is about to measure, as the header of its case journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from harness import __version__
from harness.fingerprint import checkout_of
from harness.invocation import Invocation, case_of, command_of
from harness.report.casejournal import Header, Planned
from harness.session import Session
from harness.unattended.resume import made_of, settings_of

# The writer's argument -> option or setting of pytest.
JUNIT_SETTINGS = {
    "suite_name": "junit_suite_name", "logging": "junit_logging", "report_duration": "junit_duration_report",
    "family": "junit_family",
}  # fmt: skip


def header_of(config: pytest.Config, invocation: Invocation, items: Sequence[pytest.Item]) -> Header:
    """The header for what is left after -k and the like."""
    session = invocation.session
    assert session is not None
    setup = session.setup
    models = made_of(setup.cards)
    return Header(
        at=datetime.fromtimestamp(invocation.started, UTC).isoformat(timespec="milliseconds"),
        command=command_of(config), device=setup.profile.name, plan=setup.plan.name, policy=invocation.policy,
        harness=__version__, commit=checkout_of(setup.root).commit, settings=_settings(session),
        against=setup.against, made_of={case.key: models[case.model] for case in session.cases},
        tests=tuple(_planned(item) for item in items), junit=_junit(config),
        run=session.run,
    )  # fmt: skip


def _settings(session: Session) -> str:
    """All of the profile, its local part too, the whole plan, and how percentiles are judged."""
    setup = session.setup
    return settings_of(setup.profile.model_dump(), vars(setup.plan), vars(setup.tail))


def _planned(item: pytest.Item) -> Planned:
    case = case_of(item)
    return Planned(test=item.nodeid, case=case.key if case else "", location=item.location)


def _junit(config: pytest.Config) -> dict[str, Any]:
    known = {name: str(config.getini(setting)) for name, setting in JUNIT_SETTINGS.items()}
    return {**known, "prefix": config.getoption("junitprefix", None) or ""}
