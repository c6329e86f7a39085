"""The console commands `harness quarantine list|add|check` and `harness junit`."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.errors import ConfigError, HarnessError, printable
from harness.files import replace_in_order
from harness.unattended.quarantine import FILE, LONGEST_DAYS, Quarantine, read_quarantine

DEVICES, MODELS = Path("devices"), Path("suites/models")
DEFAULT_DAYS = 30


def add_quarantine_command(commands: Any) -> None:
    """`harness quarantine` with its three commands."""
    what = "cases that may fail for now, with an owner and an end"
    own = commands.add_parser("quarantine", help=what, description=f"{what}.").add_subparsers(
        required=True, metavar="COMMAND"
    )
    listed = own.add_parser("list", help="who is in quarantine, why, and for how long")
    listed.set_defaults(command=_list)
    checked = own.add_parser("check", help="exit 1 where an entry is over or names no case, 4 where the file is wrong")
    checked.set_defaults(command=_check)
    added = own.add_parser("add", help="put a case, or one metric of it, into quarantine")
    added.add_argument("case", help="pattern of DEVICE/MODEL/VARIANT/RUNTIME, with * and ?")
    added.add_argument("--metric", default="", help="of this metric alone (default: the whole case)")
    added.add_argument("--owner", required=True, help="who looks after it")
    added.add_argument("--reason", required=True)
    added.add_argument("--ticket", default="")
    added.add_argument("--days", type=int, default=DEFAULT_DAYS, help=f"{LONGEST_DAYS} at most (default: %(default)s)")
    added.set_defaults(command=_add)
    for one in (listed, checked, added):
        one.add_argument("--quarantine", type=Path, default=Path(FILE), metavar="FILE", help="(default: %(default)s)")


def add_junit_command(commands: Any) -> None:
    """`harness junit`."""
    what = "rebuild the JUnit file of a session from its case journal, also after a crash"
    parser = commands.add_parser("junit", help=what, description=f"{what}.")
    parser.add_argument("folder", type=Path, help="report folder of the session, or its cases.journal")
    parser.add_argument(
        "--out", type=Path, default=None, metavar="FILE", help="(default: junit.xml beside the journal)"
    )
    parser.set_defaults(command=_junit)


def _list(parsed: argparse.Namespace) -> str:
    found = _read(parsed.quarantine)
    return "\n".join(map(printable, _lines(found))) or "nobody is in quarantine"


def _lines(found: Quarantine) -> Iterator[str]:
    for one in sorted(found.entries, key=lambda entry: entry.expires):
        left = (one.last_day - found.today).days
        state = f"{left} days left" if left >= 0 else "EXPIRED, red again"
        metric = f" {one.metric}" if one.metric else ""
        ticket = f" [{one.ticket}]" if one.ticket else ""
        yield f"{one.expires} ({state}) {one.case}{metric}: {one.owner}: {one.reason}{ticket}"


def _check(parsed: argparse.Namespace) -> tuple[str, int]:
    found = _read(parsed.quarantine)
    cases = list(_cases())
    faults = [f"{one.case}: ended on {one.expires}, {one.owner} decides" for one in found.expired]
    faults += [f"{one.case}: names no case of {DEVICES}/ and {MODELS}/" for one in found.without_case(cases)]
    lines = faults or [f"{len(found.entries)} entries, each of them names a case and is not over"]
    return "\n".join(map(printable, lines)), int(bool(faults))


def _add(parsed: argparse.Namespace) -> str:
    today = _today()
    last = today + datetime.timedelta(days=_days(parsed.days))
    fields = {"case": parsed.case, "metric": parsed.metric, "owner": parsed.owner, "reason": parsed.reason,
              "ticket": parsed.ticket, "expires": last.isoformat()}  # fmt: skip
    path = parsed.quarantine
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if path.exists():
        read_quarantine(path, today)
    after = f"{before.rstrip()}\n\n{_table(fields)}".lstrip()
    _checked(after, path, today)
    try:
        replace_in_order({path: after.encode("utf-8")})
    except OSError as error:
        raise HarnessError(f"cannot be written: {error.strerror}", where=str(path)) from error
    return printable(f"{path}: {parsed.case} is in quarantine until {last}, {parsed.owner} looks after it")


def _days(days: int) -> int:
    if not 0 <= days <= LONGEST_DAYS:
        raise ConfigError(f"--days {days}: from 0 to {LONGEST_DAYS}")
    return days


def _table(fields: dict[str, str]) -> str:
    """One [[quarantine]]; JSON's quotes and escapes are TOML's too, but for DEL, which `printable` has shown."""
    lines = [f"{name} = {json.dumps(printable(value), ensure_ascii=False)}" for name, value in fields.items() if value]
    return "\n".join(["[[quarantine]]", *lines, ""])


def _checked(text: str, path: Path, today: datetime.date) -> None:
    """ConfigError where the file would be wrong, before it is."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as folder:
        trial = Path(folder, path.name)
        trial.write_text(text, encoding="utf-8")
        read_quarantine(trial, today)


def _read(path: Path) -> Quarantine:
    return read_quarantine(path, _today()) if path.exists() or path != Path(FILE) else Quarantine(today=_today())


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _cases() -> Iterator[str]:
    """The keys of all cases of all devices here, with their power modes."""
    from harness.case import Case
    from harness.model import find_cards
    from harness.prepare import file_format
    from harness.profile import AT, profile_names, read_profile

    cards = find_cards([], MODELS)
    for name in profile_names(DEVICES):
        profile = read_profile(name, DEVICES, options=False)
        for device in (name, *(f"{name}{AT}{mode}" for mode in profile.modes)):
            for card in cards:
                for variant in card.variants:
                    for runtime in profile.runtimes:
                        if file_format(profile, card, variant, runtime):
                            yield Case(device, card.name, variant, runtime).key


def _junit(parsed: argparse.Namespace) -> str:
    from harness.report.casejournal import read_cases
    from harness.report.rebuild import DEFAULT_NAME, summary, write_junit

    journal = read_cases(parsed.folder)
    path = write_junit(journal, parsed.out or journal.path.with_name(DEFAULT_NAME))
    return f"written: {printable(str(path))}: {summary(journal)}"
