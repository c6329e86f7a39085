"""Case journals made by hand: two tests of one case."""

from __future__ import annotations

from pathlib import Path

from harness.report.casejournal import CaseJournal, CaseJournalWriter, Header, Phase, Planned, read_cases

TESTS = ("suites/test_a.py::test_one[host/eyes/fp32/ort]", "suites/test_a.py::test_two[host/eyes/fp32/ort]")
HEADER = Header(
    at="2026-11-20T03:00:00+00:00", command="pytest suites/", device="host", plan="standard", policy="nightly",
    harness="1", commit="abc", tests=tuple(Planned(test=one, case="host/eyes/fp32/ort") for one in TESTS),
)  # fmt: skip


def phase(when: str, outcome: str = "passed", **report: object) -> Phase:
    fields = {
        "nodeid": TESTS[0], "location": ["suites/test_a.py", 3, "test_one"], "keywords": {}, "outcome": outcome,
        "longrepr": None, "when": when, "sections": [], "duration": 0.5, "start": 0, "stop": 0,
        "user_properties": [["case", "host/eyes/fp32/ort"]], "$report_type": "TestReport", **report,
    }  # fmt: skip
    return Phase(when=when, outcome=outcome, failure_class="", error="", quarantined=False, report=fields)


def journal_with(folder: Path, *phases: Phase, begun: int = 1) -> CaseJournal:
    writer = CaseJournalWriter(folder, HEADER)
    for test in TESTS[:begun]:
        writer.begin(test)
    for one in phases:
        writer.report(TESTS[0], one)
    return read_cases(folder)
