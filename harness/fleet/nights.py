"""What `harness fleet run` and `harness nightly` do, from their words to their exit status."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, HarnessError
from harness.fleet import nightly
from harness.fleet.boards import Board, boards_of
from harness.fleet.checking import check_boards
from harness.fleet.report import write_summary, write_trends
from harness.fleet.running import Order, Say, check_retries, run_boards
from harness.fleet.summing import BoardResult, status_of, summary_lines
from harness.fleet.webhook import post, report_link, webhook_of

DEVICES = Path("devices")
REPORTS = Path("reports")


def fleet_run(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    """What is printed at the end, and the exit status; HarnessError for what cannot be begun."""
    webhook = webhook_of(parsed.webhook, os.environ)
    boards = boards_of(parsed.devices, DEVICES)
    folder = parsed.report or nightly.new_folder(time.time(), REPORTS / "fleet")
    order = Order(folder=folder.absolute(), arguments=tuple(parsed.arguments), history=_history(parsed.history),
                  retries=check_retries(parsed.retry))  # fmt: skip
    results, interrupted = run_boards(boards, order, say)
    return _ended("harness fleet run", results, order, webhook, interrupted=interrupted)


def night(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    """The same of a night."""
    webhook = webhook_of(parsed.webhook, os.environ)
    asked = _asked(parsed)
    boards = boards_of(asked.devices, DEVICES)
    folder = _folder(parsed, asked, say)
    order = Order(
        folder=folder.absolute(), arguments=("--policy=nightly", *_quarantine(parsed.quarantine), *asked.arguments),
        history=_history(asked.history), retries=check_retries(parsed.retry),
        resumed=frozenset(one.label for one in boards),
    )  # fmt: skip
    nightly.keep_asked(asked, folder)
    say(f"health check of {len(boards)} board{'' if len(boards) == 1 else 's'}")
    checked = check_boards(boards)
    refused = nightly.unhealthy(checked, order.folder)
    for one in refused:
        say(one.line)
    ran, interrupted = _on(nightly.healthy(checked), order, say)
    results = nightly.in_order(boards, [*ran, *refused])
    return _ended("harness nightly", results, order, webhook, interrupted=interrupted)


def _on(boards: Sequence[Board], order: Order, say: Say) -> tuple[list[BoardResult], bool]:
    return run_boards(boards, order, say) if boards else ([], False)


def _asked(parsed: argparse.Namespace) -> nightly.Asked:
    from harness.fingerprint import checkout_of

    return nightly.Asked(
        devices=parsed.devices or parsed.device or "host", arguments=tuple(parsed.arguments), history=parsed.history,
        commit=checkout_of(Path.cwd()).commit, at_s=time.time(),
    )  # fmt: skip


def _folder(parsed: argparse.Namespace, asked: nightly.Asked, say: Say) -> Path:
    """The night that is gone on with, or a new one; ConfigError for a --resume that names other boards."""
    if parsed.resume is not None:
        before = nightly.read_asked(parsed.resume)
        if before.devices != asked.devices:
            raise ConfigError(f"that night was on {before.devices}, and {asked.devices} is asked for",
                              where=str(parsed.resume), remedy=f"--devices={before.devices}")  # fmt: skip
        return Path(parsed.resume)
    found = None if parsed.fresh else nightly.interrupted_night(asked)
    if found is not None:
        say(f"the night in {found} was cut off: it is gone on with (--fresh: not)")
    return found or nightly.new_folder(asked.at_s)


def _quarantine(option: str) -> list[str]:
    return [f"--quarantine={Path(option).absolute()}"] if option else []


def _history(text: str) -> str:
    """As pytest takes it; ConfigError for what cannot be a place, before any board is touched."""
    from harness.history.location import parse_location

    if text and text != "none":
        parse_location(text)
    return text


def _ended(
    title: str, results: Sequence[BoardResult], order: Order, webhook: str, *, interrupted: bool
) -> tuple[str, int]:  # fmt: skip
    """What is left to do when all boards are done; what cannot be written makes a green run red."""
    status = status_of(results, interrupted=interrupted)
    lines, faults = summary_lines(results), []
    try:
        lines += [f"written: {os.path.relpath(one)}" for one in write_trends(order.history, order.folder)]
    except HarnessError as error:
        faults.append(f"not written: {error.sentence}")
    status = status or int(bool(faults))
    try:
        lines.append(f"written: {os.path.relpath(write_summary(results, order.folder, status))}")
    except HarnessError as error:
        faults.append(f"not written: {error.sentence}")
    lines += [*faults, f"status {status}"]
    if webhook:
        text = nightly.message(title, results, status, lines, report_link(str(order.folder), os.environ))
        lines += filter(None, [post(webhook, text)])
    return "\n".join(lines), status or int(bool(faults))
