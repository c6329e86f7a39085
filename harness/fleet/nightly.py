"""What `harness fleet run` and `harness nightly` do, from their words to their exit status."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Sequence
from pathlib import Path

from harness.errors import ConfigError, HarnessError
from harness.fleet.boardprocess import Order, Say, check_retries, run_boards
from harness.fleet.boardresult import BoardResult, in_order, status_of, summary_lines
from harness.fleet.boards import Board, boards_of
from harness.fleet.healthcheck import check_boards, healthy, unhealthy
from harness.fleet.nightfolder import Asked, held, interrupted_night, keep_asked, new_folder, read_asked
from harness.fleet.report import write_summary, write_trends
from harness.fleet.webhook import message, post, report_link, take_webhook

DEVICES = Path("devices")
REPORTS = Path("reports/fleet")


def fleet_run(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    """What is printed at the end, and the exit status; HarnessError for what cannot be begun."""
    webhook = take_webhook(parsed.webhook, os.environ)
    boards = boards_of(parsed.devices, DEVICES)
    history, retries = _history(parsed.history), check_retries(parsed.retry)
    folder = parsed.report or new_folder(time.time(), REPORTS)
    order = Order(folder=folder.absolute(), arguments=tuple(parsed.arguments), history=history, retries=retries)
    results, interrupted = run_boards(boards, order, say)
    return _ended("harness fleet run", results, order, webhook, interrupted=interrupted)


def night(parsed: argparse.Namespace, say: Say) -> tuple[str, int]:
    """The same of a night."""
    webhook = take_webhook(parsed.webhook, os.environ)
    asked = _asked(parsed)
    boards = boards_of(asked.devices, DEVICES)
    check_retries(parsed.retry)
    folder = _folder(parsed, asked, say)
    order = Order(
        folder=folder.absolute(), arguments=("--policy=nightly", *_quarantine(parsed.quarantine), *asked.arguments),
        history=asked.history, retries=parsed.retry, resumed=frozenset(one.label for one in boards),
    )  # fmt: skip
    with held(folder):
        keep_asked(asked, folder)
        results, interrupted = _on_healthy(boards, order, say)
        return _ended("harness nightly", results, order, webhook, interrupted=interrupted)


def _on_healthy(boards: Sequence[Board], order: Order, say: Say) -> tuple[list[BoardResult], bool]:
    say(f"health check of {len(boards)} board{'' if len(boards) == 1 else 's'}")
    checked = check_boards(boards)
    refused = unhealthy(checked, order.folder)
    for one in refused:
        say(one.line)
    well = healthy(checked)
    ran, interrupted = run_boards(well, order, say) if well else ([], False)
    return in_order(boards, [*ran, *refused]), interrupted


def _asked(parsed: argparse.Namespace) -> Asked:
    from harness.fingerprint import checkout_of

    return Asked(
        devices=parsed.devices or parsed.device or "host", arguments=tuple(parsed.arguments),
        history=_history(parsed.history), commit=checkout_of(Path.cwd()).commit, at_s=time.time(),
    )  # fmt: skip


def _folder(parsed: argparse.Namespace, asked: Asked, say: Say) -> Path:
    """The night that is gone on with, or a new one; ConfigError for a --resume that names other boards."""
    if parsed.resume is not None:
        before = read_asked(parsed.resume)
        if before.devices != asked.devices:
            raise ConfigError(f"that night was on {before.devices}, and {asked.devices} is asked for",
                              where=str(parsed.resume), remedy=f"--devices={before.devices}")  # fmt: skip
        return Path(parsed.resume)
    found = None if parsed.fresh else interrupted_night(asked)
    if found is not None:
        say(f"the night in {found} was cut off: it is gone on with (--fresh: not)")
    return found or new_folder(asked.at_s)


def _quarantine(option: str) -> list[str]:
    return [f"--quarantine={Path(option).absolute()}"] if option else []


def _history(text: str) -> str:
    """As pytest takes it; ConfigError, before any board is touched, for what cannot be a place or tells a secret."""
    from harness.history.location import parse_location

    if text and text != "none":
        url = parse_location(text).url
        if url.password or "password" in url.query:
            raise ConfigError(
                "the URL of the history holds a password, which everybody on this machine could read in the list of "
                "processes", where="--history", remedy="leave it out, and set PGPASSWORD or write ~/.pgpass",
            )  # fmt: skip
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
        text = message(title, results, status, lines, report_link(str(order.folder), os.environ))
        lines += filter(None, [post(webhook, text)])
    return "\n".join(lines), status or int(bool(faults))
