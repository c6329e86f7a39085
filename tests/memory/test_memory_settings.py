"""Settings through the pipeline: every one has its row, in turn, and what an engine refuses has its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.memory.measuring import Wanted, rotated, settings_rows
from harness.memory.settings import CUDA, SETTINGS, Setting, settings_for
from harness.model import read_card
from harness.plans import plan_named
from harness.profile import DeviceProfile, read_profile
from harness.runtimes import open_runtime
from tests.simulated import CHECKOUT, QUICK

FASTER = Setting(name="faster", does="twice as fast", options={"speed": 2.0})
UNKNOWN = Setting(name="unknown", does="nothing", options={"speedd": 2.0})


@pytest.fixture
def wanted(make_model, tmp_path):
    """The simulated model on the simulated device; the keywords go into its .sim files, `rounds` apart."""

    def make(rounds: int, **behaviour) -> Wanted:
        card = read_card(make_model(process_sigma=0.05, **behaviour))
        return wanted_of(card, read_profile("simulated", CHECKOUT / "devices"), tmp_path, plan=QUICK, rounds=rounds)

    return make


def wanted_of(card, profile: DeviceProfile, folder: Path, variant: str = "fp32", **changes) -> Wanted:
    only = card.model_copy(update={"variants": {variant: card.variants[variant]}})
    plain = {"plan": plan_named("smoke"), "rounds": 1, "folder": folder / "out", "cache": folder / "cache"}
    return Wanted(**{"profile": profile, "card": only, "variant": variant, "root": folder, **plain, **changes})


def test_every_setting_of_every_engine_is_an_option_that_it_takes():
    for engine, settings in SETTINGS.items():
        for one in settings:
            open_runtime(engine, "nowhere", one.over({}, "kept"))


@pytest.mark.parametrize(
    ("engine", "entry", "first", "last"),
    [
        ("onnxruntime", {}, "no-arena", "optimised-file"),
        ("onnxruntime", {"providers": [CUDA, "CPUExecutionProvider"]}, "arena-as-asked", "arena-as-asked"),
        ("openvino", {"target": "GPU"}, "unmapped", "cache"),
        ("tensorrt", {}, "workspace-64", "workspace-256"),
    ],
)
def test_an_entry_is_offered_what_is_for_its_provider(engine, entry, first, last):
    found = settings_for(engine, entry)
    assert (found[0].name, found[-1].name) == (first, last)


def test_nothing_is_invented_for_an_engine_of_which_nothing_is_known():
    assert settings_for("qnn", {}) == ()


def test_a_setting_is_laid_over_the_entry_and_keeps_the_rest():
    entry = {"threads": 2, "session_config": {"a": "1"}, "memory_arena": True}
    one = Setting(name="x", does="", options={"session_config": {"b": "2"}, "memory_arena": False}, keeps="cache_dir")
    assert one.over(entry, "kept") == {
        "threads": 2, "session_config": {"a": "1", "b": "2"}, "memory_arena": False, "cache_dir": "kept",
    }  # fmt: skip
    assert entry["memory_arena"] is True


@pytest.mark.parametrize("number", range(5))
def test_each_round_begins_with_another_row(number):
    assert rotated("abc", number)[0] == "abc"[number % 3]
    assert sorted(rotated("abc", number)) == ["a", "b", "c"]
    assert rotated([], number) == []


def test_settings_are_measured_in_turn_in_fresh_processes(wanted):
    heard: list[str] = []
    plain, faster = settings_rows(wanted(rounds=2, model_bytes=3_000_000), "simulated", [FASTER], heard.append)
    assert [plain.name, faster.name, faster.does] == ["default", "faster", "twice as fast"]
    assert heard == [
        "simulated, default: process 1 of 2", "simulated, faster: process 1 of 2",
        "simulated, faster: process 2 of 2", "simulated, default: process 2 of 2",
    ]  # fmt: skip
    assert plain.figures["model_memory_mb"] == (3.0, 3.0)
    assert plain.figures["peak_memory_mb"] == faster.figures["peak_memory_mb"]
    assert len(set(plain.figures["infer_p50_ms"])) == 2, "two processes, each with its own luck"
    assert plain.middle("infer_p50_ms") / faster.middle("infer_p50_ms") == pytest.approx(2.0, rel=0.05)
    assert faster.facts["engine"] == "simulated"
    assert "infer_p99_ms" not in faster.figures, "60 frames tell no P99"


def test_a_setting_that_is_refused_has_its_reason_and_the_others_their_figures(wanted):
    plain, unknown = settings_rows(wanted(rounds=1), "simulated", [UNKNOWN], lambda said: None)
    assert plain.figures
    assert not unknown.figures
    assert "'speedd'" in unknown.reason


def test_a_setting_that_the_engine_did_not_take_is_no_row_of_it(wanted):
    ignored = Setting(name="ignored", does="nothing", told={"threads": 8})
    _, row = settings_rows(wanted(rounds=1), "simulated", [ignored], lambda said: None)
    assert not row.figures
    assert row.reason == "the engine says threads = 1: the setting was not taken"


def test_a_model_that_dies_in_each_process_has_no_figures_at_all(wanted):
    (plain,) = settings_rows(wanted(rounds=2, fault="crash", fault_at=5), "simulated", [], lambda said: None)
    assert not plain.figures
    assert "crashed with SIGABRT" in plain.reason


def test_weights_that_are_mapped_and_a_cache_that_is_filled_are_what_is_measured(tmp_path):
    card, profile = read_card(CHECKOUT / "suites/models/eye_state"), read_profile("host", CHECKOUT / "devices")
    wanted = wanted_of(card, profile, tmp_path, variant="int8")
    (mapped,) = [one for one in SETTINGS["onnxruntime"] if one.name == "mapped-weights"]
    (cache,) = [one for one in SETTINGS["openvino"] if one.keeps]
    plain, rewritten = settings_rows(wanted, "onnxruntime", [mapped], lambda said: None)
    assert plain.figures
    assert rewritten.figures, rewritten.reason
    made = wanted.folder / "work" / "onnxruntime-mapped-weights"
    assert (made / "int8.onnx.data").stat().st_size > 200_000 > (made / "int8.onnx").stat().st_size
    _, kept = settings_rows(wanted, "openvino", [cache], lambda said: None)
    assert kept.facts["from_cache"] is True, "already in the first process that counts"
