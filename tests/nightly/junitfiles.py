"""What two JUnit files must agree on: their cases, outcomes and properties."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

Testcase = tuple[str, str, tuple[tuple[str, str, str], ...], tuple[tuple[str, str], ...]]


def junit_cases(path: Path) -> list[Testcase]:
    """Per test case its class name, its name, its outcomes with their words, and its properties."""
    return [
        (
            one.get("classname", ""), one.get("name", ""),
            tuple((said.tag, said.get("message", ""), said.text or "") for said in one if said.tag != "properties"),
            tuple((found.get("name", ""), found.get("value", "")) for found in one.iter("property")),
        )
        for one in ElementTree.parse(path).iter("testcase")
    ]  # fmt: skip


def outcomes(path: Path) -> dict[str, str]:
    """Name -> "passed", or the first outcome beside it."""
    return {name: found[0][0] if found else "passed" for _, name, found, _ in junit_cases(path)}


def counts(path: Path) -> dict[str, int]:
    """What the suite's own attributes say."""
    suite = next(ElementTree.parse(path).iter("testsuite"))
    return {name: int(suite.get(name, "-1")) for name in ("tests", "errors", "failures", "skipped")}


def properties(path: Path, name: str) -> dict[str, str]:
    """The properties of one test case."""
    (found,) = [dict(own) for _, own_name, _, own in junit_cases(path) if own_name == name]
    return found
