"""The rows as JUnit XML: what is red fails, what passed passes, and everything else is skipped with its reason.

`[[ATTACHMENT|path]]` on a line of its own is how Jenkins (plugin junit-attachments), GitLab and Azure find a test's
picture. GitLab takes paths from the project's folder, the first one of a test only, and wants a file that ends in .xml.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from harness.errors import printable
from harness.trendreport.cells import MISSING
from harness.trendreport.model import Row, Trends
from harness.trendreport.phrases import (
    banner_of,
    budget_text,
    change_text,
    detectable_text,
    flags_of,
    is_green,
    is_red,
    sentences,
    state_of,
    status,
    title_of,
    value_text,
)

Element = ElementTree.Element
# ElementTree's own would name the encoding of the machine's locale.
DECLARATION = '<?xml version="1.0" encoding="utf-8"?>'
# A case without any number is missing as a whole.
WHOLE_CASE = "measured"
REPORTED_ONLY = "nothing limits it and it was compared with nothing"


def junit_twin(trends: Trends, pictures: Mapping[str, Path]) -> str:
    """XML with one test suite per device and one test case per row; pictures: of a row, by its key."""
    root = Element("testsuites", name=printable(f"dms-harness trends: {title_of(trends)}"))
    rows = sorted(trends.rows, key=lambda row: row.case.device)
    for device, some in groupby(rows, key=lambda row: row.case.device):
        root.append(_device_suite(device, list(some), trends, pictures))
    if not rows:
        root.append(_suite("no rows", [_nothing(trends)], trends.newest))
    ElementTree.indent(root)
    return f"{DECLARATION}\n{ElementTree.tostring(root, encoding='unicode')}\n"


def _device_suite(device: str, rows: Sequence[Row], trends: Trends, pictures: Mapping[str, Path]) -> Element:
    """Its time is that of its own newest row: another board's session says nothing of this one."""
    cases = [_testcase(one, trends, pictures.get(one.key)) for one in rows]
    return _suite(device, cases, max(one.at for one in rows))


def _suite(name: str, cases: Sequence[Element], newest: str) -> Element:
    failed, skipped = (sum(one.find(kind) is not None for one in cases) for kind in ("failure", "skipped"))
    suite = Element(
        "testsuite", name=printable(name), tests=str(len(cases)), failures=str(failed), errors="0",
        skipped=str(skipped), time="0",
    )  # fmt: skip
    if newest:
        suite.set("timestamp", newest.rstrip("Z"))
    suite.extend(cases)
    return suite


def _testcase(row: Row, trends: Trends, picture: Path | None) -> Element:
    case = row.case
    place = ".".join((case.device, case.model, case.variant, case.runtime))
    element = Element("testcase", classname=printable(place), name=printable(row.metric or WHOLE_CASE), time="0")
    properties = ElementTree.SubElement(element, "properties")
    for name, value in _properties(row, trends):
        ElementTree.SubElement(properties, "property", name=name, value=printable(value))
    element.extend(_result(row))
    if picture is not None:
        attached = ElementTree.SubElement(element, "system-out")
        attached.text = f"\n[[ATTACHMENT|{printable(str(picture))}]]\n"
    return element


def _properties(row: Row, trends: Trends) -> Iterator[tuple[str, str]]:
    yield "dms_outcome", status(row)
    yield "simulated", str("simulated" in flags_of(row, trends)).lower()
    texts = {
        "value": value_text(row), "limit": budget_text(row), "change": change_text(row),
        "would_see": detectable_text(row), "at": row.at, "flags": ", ".join(flags_of(row, trends)),
    }  # fmt: skip
    yield from ((name, text) for name, text in texts.items() if text not in ("", MISSING))


def _result(row: Row) -> Iterator[Element]:
    """Nothing for a PASS of the newest run; whatever was not judged, or not measured now, is never green."""
    if is_green(row):
        return
    said = sentences(row) or (state_of(row) if row.claims else REPORTED_ONLY,)
    element = Element("failure" if is_red(row) else "skipped", message=printable(f"{status(row)}: {said[0]}"))
    element.text = "\n".join(map(printable, said))
    yield element


def _nothing(trends: Trends) -> Element:
    """Nothing measured is never green."""
    element = Element("testcase", classname="dms-harness", name="trends", time="0")
    ElementTree.SubElement(element, "failure", message=printable(banner_of(trends)))
    return element
