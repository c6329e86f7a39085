"""The console commands `harness report` and `harness serve`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.config import read_toml
from harness.errors import ConfigError, printable
from harness.history import DEFAULT_LOCATION, open_history

DEFAULT_PAGE = "reports/trends.html"
INI_NAME = "dms_commit_url"
TWIN_OPTIONS = {
    "json": "everything, for programs", "markdown": "a summary for a pull request", "csv": "the rows, for spreadsheets",
    "junit": "JUnit XML", "prometheus": "the last values, for the textfile collector",
}  # fmt: skip
KB = 1000


def add_report_command(commands: Any) -> None:
    """The command `harness report`."""
    what = "write the trend report of the history: one HTML file, offline"
    parser = commands.add_parser("report", help=what, description=(
        f"{what}. It reports and does not judge: the exit status is 0 whatever it says, and 4 where there is nothing "
        "that can be read."))  # fmt: skip
    _add_common(parser)
    parser.add_argument("--out", type=Path, default=Path(DEFAULT_PAGE), metavar="FILE",
                        help="the page (default: %(default)s)")  # fmt: skip
    parser.add_argument("--twins", action="store_true", help="write every twin below beside the page")
    for name, help_ in TWIN_OPTIONS.items():
        parser.add_argument(f"--{name}", type=Path, default=None, metavar="FILE", help=help_)
    parser.add_argument("--figures", type=Path, default=None, metavar="FOLDER",
                        help="PNG and SVG of the open rows, which the JUnit twin names (needs matplotlib)")  # fmt: skip
    parser.add_argument("--detail", nargs="+", action="extend", default=[], metavar="ID",
                        help="sessions whose raw times are embedded beside the newest ones")  # fmt: skip
    parser.set_defaults(command=_report)


def add_serve_command(commands: Any, say: Callable[[str], None]) -> None:
    """The command `harness serve`; `say` takes what a person should read while it runs."""
    what = "show the trend report to browsers, read-only, made anew when the history changes"
    parser = commands.add_parser("serve", help=what, description=f"{what}. Paths: / /trends.json /metrics")
    _add_common(parser)
    parser.add_argument("--port", type=int, default=8765, help="0: any free one (default: %(default)s)")
    parser.add_argument("--host", default="", metavar="ADDRESS", help="where it listens (default: 127.0.0.1, and then "
                        "only requests to this machine's own names are answered)")  # fmt: skip
    parser.add_argument("--refresh", type=int, default=0, metavar="SECONDS",
                        help="let browsers load the page anew this often, for a wall (default: never)")  # fmt: skip
    parser.set_defaults(command=lambda parsed: _serve(parsed, say))


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--history", default=DEFAULT_LOCATION, metavar="LOCATION",
                        help="path, or URL of a PostgreSQL database (default: %(default)s)")  # fmt: skip
    parser.add_argument("--metric", nargs="+", action="extend", default=[], metavar="NAME",
                        help="further metrics to draw; all: every one that the history has")  # fmt: skip
    parser.add_argument("--commit-url", default=None, metavar="TEMPLATE", help="link to a commit, with {commit} in it "
                        f"(default: {INI_NAME} of pyproject.toml's pytest options here)")  # fmt: skip


def _report(parsed: argparse.Namespace) -> str:
    from harness.history.location import parse_location
    from harness.trendreport import read_trends
    from harness.trendreport.phrases import banner_of
    from harness.trendreport.write import Targets, beside, checked_file, write_files

    commit_url, page = _commit_url(parsed), checked_file(parsed.out, "--out")
    given = {name: path for name in TWIN_OPTIONS if (path := getattr(parsed, name)) is not None}
    named = {name: checked_file(path, f"--{name}") for name, path in given.items()}
    with open_history(parsed.history, create=False) as history:
        trends = read_trends(history, root=Path.cwd(), detail_ids=parsed.detail, metrics=parsed.metric)
    twins = {**(beside(page) if parsed.twins else {}), **named}
    kept = parse_location(parsed.history).path
    targets = Targets(page=page, twins=twins, figures=parsed.figures, history=kept)
    written, notes = write_files(trends, targets, commit_url=commit_url)
    return "\n".join(map(printable, [*map(_written, written), *notes, banner_of(trends)]))


def _written(path: Path) -> str:
    size = f" ({path.stat().st_size / KB:.1f} kB)" if path.is_file() else ""
    return f"written: {path}{size}"


def _serve(parsed: argparse.Namespace, say: Callable[[str], None]) -> str:
    from harness.trendreport.serving.serve import serve
    from harness.trendreport.serving.site import Site

    if parsed.refresh < 0:
        raise ConfigError(f"{parsed.refresh} s cannot be waited", where="--refresh", remedy="0: never")
    site = Site(parsed.history, root=Path.cwd(), metrics=parsed.metric, commit_url=_commit_url(parsed))
    # What cannot be made now is said now, not to the first visitor.
    site.prepare()
    return serve(site, host=parsed.host, port=parsed.port, refresh_s=parsed.refresh, say=say)


def _commit_url(parsed: argparse.Namespace) -> str:
    """The option, else what the project's pytest options say."""
    if parsed.commit_url is not None:
        return str(parsed.commit_url)
    return configured_commit_url(Path("pyproject.toml"))


def configured_commit_url(path: Path) -> str:
    """`dms_commit_url` of [tool.pytest.ini_options] or [tool.pytest]; "" without one.

    ConfigError where the file cannot be read, or has something else there.
    """
    if not path.exists():
        return ""
    options = _table(_table(read_toml(path), "tool", path), "pytest", path)
    found = _table(options, "ini_options", path).get(INI_NAME, options.get(INI_NAME, ""))
    if not isinstance(found, str):
        raise ConfigError(f"{INI_NAME} = {found!r} is no text", where=str(path))
    return found


def _table(tables: Mapping[str, Any], name: str, path: Path) -> Mapping[str, Any]:
    found = tables.get(name, {})
    if not isinstance(found, Mapping):
        raise ConfigError(f"{name} = {found!r} is no table", where=str(path))
    return found
