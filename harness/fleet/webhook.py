"""One message to a chat at the end of a night, in the form that Slack reads; it never decides anything.

The URL is a secret: who has it can write there. It is never shown, and no child process inherits it.
"""

from __future__ import annotations

import html
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, MutableMapping, Sequence
from urllib.parse import urlsplit

from harness.errors import ConfigError, printable
from harness.fleet.boardresult import BoardResult

VARIABLE = "DMS_WEBHOOK"
DEADLINE_S = 10.0
SCHEMES = ("http", "https")
LONGEST_CHARACTERS = 3000
LINKS = ("DMS_REPORT_URL", "CI_JOB_URL", "BUILD_URL")


def take_webhook(option: str, variables: MutableMapping[str, str]) -> str:
    """The URL of --webhook, or else of DMS_WEBHOOK, which is taken out: no child process shall inherit it.

    ConfigError, without showing it, for what is no web address.
    """
    inherited = variables.pop(VARIABLE, "")
    url = option or inherited
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        right = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        right = False
    if not right or not url.isprintable() or " " in url:
        where = "--webhook" if option else VARIABLE
        raise ConfigError("not a web address (it is not shown: it may be a secret)", where=where,
                          remedy="give one that begins with https:// or http://")  # fmt: skip
    return url


def masked(url: str) -> str:
    """The scheme and the host, which are no secret."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/***"


def report_link(folder: str, variables: Mapping[str, str]) -> str:
    """Where the report can be seen: the page of the pipeline's job, or else its folder here."""
    if all(name in variables for name in ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_RUN_ID")):
        base = f"{variables['GITHUB_SERVER_URL']}/{variables['GITHUB_REPOSITORY']}"
        return f"{base}/actions/runs/{variables['GITHUB_RUN_ID']}"
    return next((variables[name] for name in LINKS if variables.get(name)), folder)


def message(title: str, results: Sequence[BoardResult], status: int, lines: Sequence[str], link: str) -> str:
    """What is told: how it ended, the first sentence that is red, the counts, and where the report is."""
    worst = next((one for one in results if one.sentence and one.verdict != "PASS"), None)
    said = [printable(f"{worst.board.label}: {worst.sentence}")] if worst else []
    state = "passed" if status == 0 else f"ended with status {status}"
    return "\n".join([f"{title}: {state}", *said, lines[0], f"report: {link}"])


def post(url: str, text: str, deadline_s: float = DEADLINE_S) -> str:
    """Send `text`; a warning where that failed, or was not done within `deadline_s`, and otherwise nothing."""
    answers: list[str] = []
    # A thread: a server that drips its answer would never run into the timeout of a socket.
    sending = threading.Thread(target=lambda: answers.append(_sent(url, text, deadline_s)), daemon=True)
    sending.start()
    sending.join(deadline_s)
    fault = answers[0] if answers else f"no answer within {deadline_s:g} s"
    return f"warning: the webhook {masked(url)} was not told: {fault}" if fault else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A secret goes to the host that it was given for, and to no other."""

    def redirect_request(self, *arguments: object) -> None:
        return None


def _sent(url: str, text: str, deadline_s: float) -> str:
    """Empty, or what went wrong, in words that cannot hold the URL."""
    cut = text if len(text) <= LONGEST_CHARACTERS else text[: LONGEST_CHARACTERS - 1] + "…"
    # As Slack wants it: what a board says must not become a link, or a call to everybody in the channel.
    shown = html.escape(cut, quote=False)
    request = urllib.request.Request(
        url, data=json.dumps({"text": shown}).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=deadline_s):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except Exception as error:
        # Whatever libraries raise about a URL may quote it.
        reason = getattr(error, "reason", error)
        return f"{type(reason).__name__}"
