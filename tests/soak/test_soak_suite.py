"""`pytest suites/ --plan=soak` on the simulated device, whose ten minutes take seconds: planted faults are named."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.workspace import Workspace

QUESTIONS = ("latency_drift", "throttling", "memory_leak", "stalls")
PLANTED = {
    "clean": {},
    "worn": {"leak_bytes": 100_000, "stall_every_s": 20.0, "stall_ms": 400.0},
    "hot": {
        "throttle_after_s": 300.0, "throttle_slower": 0.3, "warming_c_per_s": 0.01, "cooling_c_per_s": 0.2,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def soaked(tmp_path_factory):
    """One run over a clean model and two with faults."""
    workspace = Workspace(tmp_path_factory.mktemp("soak"))
    for name, faults in PLANTED.items():
        card = workspace.add_simulated(name, **faults) / "model.toml"
        head, _, rest = card.read_text().partition("[variants.int8]")
        card.write_text(head + rest[rest.index("[budgets]") :])
    junit = workspace.folder / "junit.xml"
    done = workspace.pytest("--device=simulated", "--plan=soak", "--history=none", "-k", "soak", f"--junitxml={junit}")
    return done, junit


def told(done, model):
    return {
        name: (one["outcome"], one["sentence"])
        for name in QUESTIONS for one in done.verdicts(name) if one["case"].split("/")[1] == model
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "failed"),
    [("clean", set()), ("worn", {"memory_leak", "stalls"}), ("hot", {"latency_drift", "throttling"})],
)
def test_what_was_planted_is_raised_and_nothing_else(soaked, model, failed):
    found = told(soaked[0], model)
    assert set(found) == set(QUESTIONS)
    assert {name for name, (outcome, _) in found.items() if outcome == "FAIL"} == failed
    assert {outcome for name, (outcome, _) in found.items() if name not in failed} == {"PASS"}


@pytest.mark.parametrize(
    ("model", "question", "words"),
    [
        ("worn", "memory_leak", "leak: memory grows by 100 kB per frame"),
        ("worn", "stalls", "periodic stall every 20.00 s: 30 of 400 ms"),
        ("hot", "throttling", "throttle in minute 5: median goes from 8.0"),
        ("hot", "throttling", "board/cpu0.cur 2000 MHz before"),
        ("hot", "throttling", "afterwards it cooled from 51.1 C to within 1 C of its start at 45.0 C in 2"),
        ("clean", "throttling", "none at work by board/oc1"),
        ("clean", "memory_leak", "memory grows by 0 kB per frame"),
    ],
)
def test_the_sentence_says_what_and_when_and_how_much(soaked, model, question, words):
    assert words in told(soaked[0], model)[question][1]


def test_the_findings_stand_in_the_junit_file_and_turn_the_run_red(soaked):
    done, junit = soaked
    assert done.status == 1
    failures = [one.get("message") for one in ElementTree.parse(junit).iter("failure")]
    assert len(failures) == 4
    for words in ("leak: memory grows by", "periodic stall every 20.00 s", "throttle in minute 5"):
        assert any(words in one for one in failures)


def test_under_a_shorter_plan_nothing_is_asked_of_a_soak(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.add_simulated()
    done = workspace.pytest("--device=simulated", "--plan=smoke", "--history=none", "-k", "(liveness or soak) and fp32")
    assert done.status == 0, done.output
    assert {one["metric"] for one in done.measured()[0]["verdicts"]} == {"outputs_alive"}
