"""What a page costs to make, to keep and to open, whoever makes it: for `trend_report`."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

MARKED = "return performance.getEntriesByName(arguments[0]).map((one) => one.startTime)"
LOADING = {"script", "link", "img", "iframe"}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of one go: the whole process, and the work alone, without Python's start and imports; None: it is not told."""

    wall_s: float
    cpu_s: float
    work_s: float | None = None
    work_cpu_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """page: what a reader opens; its whole folder counts where it is called index.html.

    mark: what it sets in the browser's performance timeline once it can be used; "": it is not opened.
    """

    name: str
    page: Path
    make: Callable[[], Cost]
    mark: str = ""


def timed(*command: object, cwd: Path) -> tuple[Cost, str]:
    """Run it to its end, with all that it starts; what it cost and said."""
    # Whoever uses it has the compiled modules on his disk.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    cpu_s, start = _children_cpu_s(), time.perf_counter()
    done = subprocess.run([str(one) for one in command], cwd=cwd, env=environment, stdout=subprocess.PIPE, check=True)
    wall_s = time.perf_counter() - start
    return Cost(wall_s=wall_s, cpu_s=_children_cpu_s() - cpu_s), done.stdout.decode()


def with_work(cost: Cost, said: str) -> Cost:
    """The last line that a child prints: wall and CPU seconds of its work."""
    work_s, work_cpu_s = map(float, said.splitlines()[-1].split())
    return replace(cost, work_s=work_s, work_cpu_s=work_cpu_s)


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def files_of(page: Path) -> list[Path]:
    """Everything that belongs to it."""
    return [one for one in page.parent.rglob("*") if one.is_file()] if page.name == "index.html" else [page]


def outside(html: str) -> list[str]:
    """Addresses of the network that a page asks for when it is opened."""
    found: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            addresses = [value or "" for name, value in attrs if tag in LOADING and name in ("src", "href")]
            found.extend(one for one in addresses if one.startswith(("http:", "https:", "//")))

    Tags().feed(html)
    return found


def opened_ms(driver: Any, subject: Subject) -> float:
    """From the start of the navigation to the mark that the page sets."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.get("about:blank")
    driver.get(subject.page.as_uri())
    return float(WebDriverWait(driver, 120, 0.05).until(lambda one: one.execute_script(MARKED, subject.mark))[0])
