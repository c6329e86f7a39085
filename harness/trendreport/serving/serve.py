"""`harness serve`: the report over HTTP for a lab's wall; read-only, and for this machine alone by default."""

from __future__ import annotations

import ipaddress
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import urlsplit

from harness.errors import ConfigError
from harness.history.location import parse_location
from harness.trendreport.serving.site import Answer, Site, said

LOOPBACK = "127.0.0.1"
OWN_NAMES = frozenset({"127.0.0.1", "::1", "localhost"})
HEADERS = {
    "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-cache",
}  # fmt: skip
METHODS = "GET, HEAD"
SILENT_S = 30
PART_BYTES = 65_536


class ReportServer(ThreadingHTTPServer):
    """Answers for one site; port 0 takes any free one. ConfigError where the address cannot be had.

    names: the hosts that a request may ask for, which keeps foreign pages out whose name was turned to this address
    (DNS rebinding); empty: any.
    """

    daemon_threads = True

    def __init__(self, site: Site, host: str, port: int, *, names: frozenset[str] = frozenset(), refresh_s: int = 0):
        self.site, self.names, self.refresh_s = site, names, refresh_s
        try:
            family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            self.address_family = family
            super().__init__((str(address[0]), port), Handler)
        except (OSError, OverflowError, UnicodeError) as error:
            raise ConfigError(
                f"nothing can listen there: {getattr(error, 'strerror', None) or error}", where=f"{host}, port {port}",
                remedy="choose another --port, 0 for any free one, or another --host",
            ) from error  # fmt: skip

    def server_bind(self) -> None:
        """Without the base's question to the name server, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A visitor who went away is no fault."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where it answers."""
        host = f"[{self.server_name}]" if ":" in self.server_name else self.server_name
        return f"http://{host}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """One request: GET and HEAD, of the site's paths, under one of the server's names."""

    server: ReportServer
    timeout = SILENT_S
    server_version, sys_version = "dms-harness", ""

    def do_GET(self) -> None:
        self._send(self._answer())

    def do_HEAD(self) -> None:
        self._send(self._answer())

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class refuses: other methods, and what is no HTTP."""
        status = 405 if code == 501 else code
        self._send(said(status, f"only {METHODS} are answered" if status == 405 else message or "no request of HTTP"))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a wall that asks every minute would fill the terminal."""

    def _answer(self) -> Answer:
        if self.server.names and _host(self.headers.get("Host", "")) not in self.server.names:
            known = ", ".join(sorted(self.server.names))
            return said(421, f"this report answers as {known} only; start it with --host to answer under other names")
        return self.server.site.answer(self.path.partition("?")[0])

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", f"{answer.policy}; frame-ancestors 'none'")
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if answer.status == 405:
            self.send_header("Allow", METHODS)
        if self.server.refresh_s > 0:
            self.send_header("Refresh", str(self.server.refresh_s))
        self.end_headers()
        if self.command != "HEAD":
            # In parts: the time limit holds for each, and one that reads slowly but steadily gets all of them.
            for first in range(0, len(answer.body), PART_BYTES):
                self.wfile.write(answer.body[first : first + PART_BYTES])


def serve(site: Site, *, host: str, port: int, refresh_s: int, say: Callable[[str], None]) -> str:
    """Answer until Ctrl-C or SIGTERM; the sentence for the end. Call it in the main thread.

    host: "" for this machine alone. Where it is the loopback address, only this machine's own names are answered.
    """
    with ReportServer(site, host or LOOPBACK, port, refresh_s=refresh_s) as server:
        own = ipaddress.ip_address(server.server_name).is_loopback
        server.names = OWN_NAMES | {host.lower() or LOOPBACK, server.server_name} if own else frozenset()
        say(f"the trend report of {parse_location(site.location).shown} is at {server.url} (read-only; Ctrl-C ends)")
        if not own:
            say("warning: whoever reaches this machine can read it, unencrypted and without a password; the default "
                "--host is for this machine alone, and ssh -L brings it to another")  # fmt: skip
        with _ended_by_signals(), suppress(KeyboardInterrupt):
            server.serve_forever()
    return "ended"


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """SIGTERM ends like Ctrl-C meanwhile."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _host(header: str) -> str:
    """The name in a Host header, without the port; "" for what is none."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""
