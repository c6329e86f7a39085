"""The deployment checklist on the page and in its twins."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from pathlib import Path

import pagesamples as samples
import pytest
from reading import Element, read

from harness.markup import LIMIT_BYTES
from harness.trendreport.model import ITEM_STATES, Deployment, Evidence, Item, ItemState, Trends
from harness.trendreport.page import page
from harness.trendreport.twins import TWINS
from tests.trendreport.byhand import HOSTILE
from tests.trendreport.repository import both, repository
from tests.trendreport.repository import read as read_repository

CONFIDENCE = "confidence calibrated"


def item(name: str = "exported", *states: ItemState, said: str = "so it is") -> Item:
    """One evidence per state."""
    told = (Evidence(what=f"v{place}", state=one, sentence=said, where="suites/models/eyes")
            for place, one in enumerate(states or ("done",)))  # fmt: skip
    return Item(name=name, evidence=tuple(told))


def deployment(*items: Item, **changes: object) -> Deployment:
    known: dict[str, object] = {"model": "eyes", "device": "orin", "simulated": False, "items": items or (item(),)}
    return Deployment(**{**known, **changes})  # type: ignore[arg-type]


def with_lists(*lists: Deployment) -> Trends:
    return replace(samples.trends(), deployments=lists)


def section(*lists: Deployment) -> Element:
    return read(page(with_lists(*lists))).one("section", id="deployment")


def markdown(*lists: Deployment) -> str:
    return TWINS["markdown"].make(with_lists(*lists), {})


@pytest.mark.parametrize(
    ("states", "wanted"),
    [
        (("done", "done"), "done"), (("done", "unknown"), "unknown"), (("unknown", "not done"), "not done"),
        (("not done", "failed", "done"), "failed"), (("done", "not needed"), "done"), (("not needed",), "not needed"),
    ],
)  # fmt: skip
def test_an_item_is_as_its_worst_evidence(states, wanted):
    assert item("exported", *states).state == wanted


@pytest.mark.parametrize("state", ITEM_STATES)
def test_a_list_with_anything_left_to_do_stands_open_and_a_ready_one_is_folded(state):
    ready = state in ("done", "not needed")
    found = section(deployment(), deployment(item("exported", state)))
    assert ("open" in found.find("details")[0].attributes) is not ready
    assert f"{1 + ready} of 2 ready" in found.find("summary")[0].text


def test_a_model_is_a_row_an_item_a_column_and_the_evidence_stands_in_its_cell():
    found = section(deployment(item(), item("budgets met", "done", "failed", said="frame_p99_ms FAIL")))
    assert [one.text for one in found.find("th", scope="col")] == ["Model, device", "Exported", "Budgets met"]
    assert found.one("th", scope="row").text == "eyes orin"
    cell = found.find("td")[1]
    assert cell.one("summary").text == "failed"
    assert [one.attributes["href"] for one in cell.find("use")] == ["#mark-fail", "#mark-pass", "#mark-fail"]
    assert [one.text for one in cell.find("p")] == [
        f"v{place} {state}: frame_p99_ms FAIL suites/models/eyes" for place, state in enumerate(("done", "failed"))
    ]


def test_only_what_is_done_has_the_mark_of_a_pass():
    found = {state: section(deployment(item("exported", state))).find("use")[0].attributes["href"]
             for state in ITEM_STATES}  # fmt: skip
    assert [state for state, mark in found.items() if mark == "#mark-pass"] == ["done"]


def test_an_item_that_a_model_has_not_is_a_dash():
    found = section(deployment(), deployment(item(), item(CONFIDENCE), model="gaze"))
    assert [one.text for one in found.find("td")][1] == "-"
    assert "| eyes on orin | done | - |" in markdown(deployment(), deployment(item(), item(CONFIDENCE), model="gaze"))


def test_a_simulated_device_and_one_that_is_none_say_so():
    lists = (deployment(simulated=True), deployment(device="", model="gaze"))
    assert [one.text for one in section(*lists).find("th", scope="row")] == ["eyes orin SIMULATED", "gaze on no device"]
    assert "| eyes on orin SIMULATED |" in markdown(*lists)
    assert "| gaze on no device |" in markdown(*lists)


def test_without_a_list_the_page_is_as_it_was():
    shown = read(page(samples.trends()))
    assert not shown.find(id="deployment")
    assert not shown.find("a", href="#deployment")
    assert "Deployment" not in shown.text
    assert "Deployment" not in markdown()


def test_the_section_stands_between_the_comparisons_and_the_health_and_is_linked():
    shown = read(page(with_lists(deployment())))
    ids = [one.attributes["id"] for one in shown.find("section")]
    assert ids.index("views") < ids.index("deployment")
    assert ids[ids.index("deployment") :][:2] == ["deployment", "health"]
    shown.one("a", href="#deployment")
    assert "Deployment" in [one.text for one in shown.one(id="reading").find("dt")]


def test_the_json_twin_tells_every_evidence_and_the_states_that_follow():
    found = json.loads(TWINS["json"].make(with_lists(deployment(item("exported", "done", "unknown"))), {}))
    (told,) = found["deployments"]
    assert (told["model"], told["device"], told["simulated"], told["ready"]) == ("eyes", "orin", False, False)
    (one,) = told["items"]
    assert (one["name"], one["state"], len(one["evidence"])) == ("exported", "unknown", 2)
    assert one["evidence"][0] == {
        "what": "v0", "state": "done", "sentence": "so it is", "where": "suites/models/eyes"
    }  # fmt: skip


def test_markdown_lists_what_is_left_to_do_with_its_reason():
    text = markdown(deployment(item("exported", "done"), item("budgets met", "failed", said="too slow")))
    assert "Deployment: 0 of 1 ready" in text
    assert "- eyes on orin, budgets met: v0 failed: too slow" in text
    assert "v0 done" not in text


def test_markdown_stays_within_a_comment_whatever_is_left_to_do():
    many = [deployment(item("exported", *["unknown"] * 9, said="x" * 300), model=f"m{one}") for one in range(200)]
    text = markdown(*many)
    assert len(text.encode()) <= LIMIT_BYTES
    assert "more left out here" in text


def test_hostile_words_stay_words():
    evil = Item(name="exported", evidence=(Evidence(what=HOSTILE, state="failed", sentence=HOSTILE, where=HOSTILE),))
    lists = deployment(evil, model=HOSTILE, device=HOSTILE)
    found = section(lists)
    assert not found.find("script")
    assert found.text.isprintable()
    text = markdown(lists)
    assert "<script" not in text
    assert "@me" not in html.unescape(text).replace("\u200b", "|")


def test_the_same_history_and_files_give_the_same_bytes_in_any_folder(tmp_path: Path):
    pages = []
    for name in ("a", "b"):
        found = read_repository(repository(tmp_path / name), both())
        assert len(found.deployments) == 1
        pages.append((page(found), TWINS["json"].make(found, {}), TWINS["markdown"].make(found, {})))
    assert pages[0] == pages[1]
