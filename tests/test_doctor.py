"""`harness doctor`: what a device can measure, found out by a real worker, and what sampling does to its latency."""

from __future__ import annotations

import json

import pytest

from harness import cli
from harness.doctor import diagnose
from harness.history import open_history
from harness.influence import last_influence, measure_influence, remember_influence
from harness.plans import plan_named
from harness.profile import read_profile

DEVICE = """
[runtimes.simulated]
seed = 1
"""


@pytest.fixture
def device(tmp_path):
    """A device of this machine with these lines in its profile."""

    def make(lines: str, name: str = "bench"):
        (tmp_path / f"{name}.toml").write_text(DEVICE + lines, encoding="utf-8")
        return read_profile(name, tmp_path)

    return make


def told(found, name: str) -> str:
    return next(line for line in found.lines if line.startswith(name)).removeprefix(name).strip()


def test_a_sensor_is_told_with_its_reading_its_resolution_and_its_rate(device):
    found = diagnose(device("[probes.board]\nkind = 'simulated'\npower_mw = 1234\nrate_hz = 50"), seconds=0.5)
    assert told(found, "sensor board").endswith("Hz of 50 Hz")
    assert told(found, "  VDD_SIM") == "1234 mW, steps of 1"
    assert told(found, "  temp") == "40 C, did not move"
    assert told(found, "latency") == "can be measured"
    assert found.able


def test_the_power_rule_is_followed_once(device):
    lines = (
        "[probes.board]\nkind = 'simulated'\n[power]\nrule = 'one rail'\nprobe = 'board'\nscope = 'module'\nrails = "
    )
    assert (
        told(diagnose(device(lines + "['VDD_SIM']"), 0.3), "power") == "one rail: VDD_SIM (module), 3.000 W in the mean"
    )
    for rails, said in (("['VDD_IN']", "board has no VDD_IN, it has VDD_SIM, temp"),
                        ("['temp']", "board has temp in C, and power is told in mW or mJ")):  # fmt: skip
        assert told(diagnose(device(lines + rails), 0.3), "power") == f"one rail: {said}"


def test_sensors_that_the_profile_does_not_name_are_told_in_full_those_that_are_missing_last(device):
    found = diagnose(device("[probes.board]\nkind = 'simulated'"), seconds=0.1)
    sensors = [line for line in found.lines if line.startswith("sensor ")]
    assert sensors[0].startswith("sensor board")
    assert "not in the profile" not in sensors[0]
    assert all(line.endswith(", not in the profile") for line in sensors[1:])
    assert {line.split()[1] for line in sensors} >= {"board", "thermal", "rapl", "nvml"}
    missing = ["Hz" not in line for line in sensors[1:]]
    assert missing == sorted(missing)


def test_a_sensor_that_is_missing_says_why_and_what_to_do_and_latency_can_still_be_measured(device):
    found = diagnose(device("[probes.board]\nkind = 'simulated'\nmissing = true"), seconds=0.1)
    assert told(found, "sensor board") == "the simulated sensor is missing; leave `missing` out"
    assert told(found, "power") == "no rule in the profile: energy is not measured ([power])"
    assert found.able


def test_a_sampler_that_dies_is_told_as_such(device):
    found = diagnose(device("[probes.board]\nkind = 'simulated'\ndies_at = 2"), seconds=0.5)
    assert "died" in told(found, "sensor board")


def test_without_an_engine_latency_cannot_be_measured(tmp_path):
    (tmp_path / "bench.toml").write_text("python = '/no/python'\n" + DEVICE, encoding="utf-8")
    with pytest.raises(Exception, match="cannot be started"):
        diagnose(read_profile("bench", tmp_path), seconds=0.1)
    (tmp_path / "odd.toml").write_text("[runtimes.onnxruntime]\nproviders = ['NoSuchProvider']\n", encoding="utf-8")
    found = diagnose(read_profile("odd", tmp_path), 0.1)
    assert "has no NoSuchProvider" in told(found, "engine onnxruntime")
    assert "no engine can be used" in told(found, "latency")


def test_what_the_device_lacks_is_told_and_does_not_end_it(device):
    found = diagnose(device('[needs.files]\n"/dev/no-such-npu" = "modprobe npu"'), seconds=0.1)
    assert told(found, "missing") == "no /dev/no-such-npu (modprobe npu)"
    assert found.able


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        ('[identity]\nsoc_id = ["soc9"]', 4, "this machine is no bench: its SoC says"),
        ('[needs.files]\n"/dev/no-such-npu" = "modprobe npu"', 0, "no /dev/no-such-npu (modprobe npu)"),
    ],
)
def test_only_another_machine_is_refused(lines, status, said, device, tmp_path, monkeypatch, capsys):
    (tmp_path / "devices").mkdir()
    device(lines)
    (tmp_path / "bench.toml").rename(tmp_path / "devices" / "bench.toml")
    monkeypatch.chdir(tmp_path)
    assert cli.main(["doctor", "--device=bench", "--history=none"]) == status
    assert said in "".join(capsys.readouterr())


def test_accepting_asks_for_the_runtimes_in_use_only(device, tmp_path, make_model, monkeypatch, capsys):
    (tmp_path / "devices").mkdir()
    (tmp_path / "suites").mkdir()
    make_model().parent.rename(tmp_path / "suites" / "models")
    device('[runtimes.npu]\nengine = "external"\n[needs.runtimes.npu.files]\n"/dev/no-such-npu" = "x"')
    (tmp_path / "bench.toml").rename(tmp_path / "devices" / "bench.toml")
    monkeypatch.chdir(tmp_path)
    cli.main(["accept", "--device=bench", "--revert", "--history=none"])
    assert "not ready" not in capsys.readouterr().err


@pytest.mark.parametrize(("name", "status"), [("simulated", 0), ("no-such", 4)])
def test_the_command_ends_with_0_where_latency_can_be_measured(name, status, checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    assert cli.main(["doctor", f"--device={name}", "--history=none"]) == status
    assert ("latency" in capsys.readouterr().out) == (status == 0)


def test_the_influence_of_sampling_is_measured_in_turn_and_kept(make_session, make_model, tmp_path):
    location = str(tmp_path / "history.sqlite")
    probes = {"board": {"kind": "simulated", "rate_hz": 20}}
    session = make_session(
        make_model(infer_ms=1.0), plan=plan_named("smoke"), setup={"history": location}, probes=probes, power=None,
        runtimes={"simulated": {"seed": 1, "real_time": True}},
    )  # fmt: skip
    found = measure_influence(session, rounds=(6, 6))
    assert {one.metric for one in found.verdicts} >= {"frame_p25_ms", "frame_p95_ms"}
    assert found.verdicts[0].change.count == 12
    assert abs(found.verdicts[0].change.percent) < 20
    remember_influence(found, location, "somebody")
    with open_history(location) as history:
        (remark,) = history.annotations()
    assert (remark.kind, remark.author, remark.case_key) == ("sampler", "somebody", found.case.key)
    assert "sampling on against off, 12 rounds: frame_p25_ms" in remark.text


def test_the_influence_that_was_measured_last_on_a_device_is_told_by_the_doctor(
    make_session, make_model, tmp_path, checkout, monkeypatch, capsys
):
    location = str(tmp_path / "history.sqlite")
    assert last_influence(location, "simulated") == last_influence("none", "simulated") == ""
    session = make_session(make_model(), plan=plan_named("smoke"), power=None)
    for rounds in ((6,), (7,)):
        remember_influence(measure_influence(session, rounds=rounds), location, "somebody")
    assert "7 rounds" in last_influence(location, "simulated")
    assert last_influence(location, "simulate") == ""
    monkeypatch.chdir(checkout)
    assert cli.main(["doctor", "--device=simulated", f"--history={location}"]) == 0
    assert last_influence(location, "simulated") in capsys.readouterr().out


def test_a_device_without_sensors_has_no_influence_to_measure(make_session, make_model):
    session = make_session(make_model(), probes={}, power=None)
    with pytest.raises(Exception, match="nothing is sampled"):
        measure_influence(session)


def test_a_survey_is_written_as_strict_json(device, tmp_path):
    from harness.survey import Survey, SurveyJob, survey
    from harness.telemetry import Telemetry

    probes = {"board": {"kind": "simulated", "silent_every": 2}}
    job = SurveyJob(engines={}, telemetry=Telemetry(probes=probes), seconds=0.3)
    found = survey(SurveyJob.from_json(job.to_json()))
    found.save(tmp_path)
    json.loads((tmp_path / "run.json").read_text(), parse_constant=pytest.fail)
    again = Survey.load(tmp_path)
    assert again.traces[0].reasons == found.traces[0].reasons
    assert again.traces[0].time_ns.tolist() == found.traces[0].time_ns.tolist()
