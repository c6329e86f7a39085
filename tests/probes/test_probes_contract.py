"""What every probe of the table promises, whatever it measures and wherever it is opened."""

from __future__ import annotations

import inspect
import json
import math
import re
from typing import get_type_hints

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.errors import ConfigError
from harness.probes import PROBES, ProbeError, open_probe, probe_class
from harness.profile import read_profile

KINDS = sorted(PROBES)
WITHOUT_FILES = {"jtop", "meter", "nvml", "simulated", "tegrastats"}
# The list of processes comes from psutil, which reads the real /proc whatever the root is.
NOT_ONLY_FILES = {"processes"}
UNITS = {"mW", "mJ", "C", "kHz", "events", "%", "bytes", "state", "processes"}
WRONG = {"str": 1, "int": 1.5, "float": "1", "bool": 1, "Tuple[str, ...]": ("x", 1), "Tuple[int, ...]": (1, "x")}
PROFILE = '[runtimes.simulated]\n\n[probes.entry]\nkind = "{kind}"\n{options}\n'


def parameters(kind):
    return list(inspect.signature(probe_class(kind)).parameters.values())


def refusal(kind, options):
    try:
        with open_probe(kind, options):
            return None
    except ProbeError as error:
        return error


def assert_told(probe):
    """A number or a reason for each channel, and facts that JSON can tell."""
    for at_ns, readings in probe.read():
        assert isinstance(at_ns, int)
        assert len(readings) == len(probe.channels)
        for one in readings:
            assert isinstance(one, (str, float))
            assert one if isinstance(one, str) else math.isfinite(one)
    facts = probe.facts()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts


def written(tmp_path, kind, options=""):
    (tmp_path / "board.toml").write_text(PROFILE.format(kind=kind, options=options), encoding="utf-8")
    return read_profile("board", tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_every_probe_tells_on_its_class_how_often_it_is_read(kind):
    rate_hz = probe_class(kind).rate_hz
    assert isinstance(rate_hz, float)
    assert 0 < rate_hz <= 1000


@pytest.mark.parametrize("kind", KINDS)
def test_every_option_is_a_keyword_with_a_default_of_its_type(kind):
    hints = get_type_hints(probe_class(kind).__init__)
    for one in parameters(kind):
        assert one.kind in (one.KEYWORD_ONLY, one.POSITIONAL_OR_KEYWORD), one.name
        assert one.default is not one.empty, one.name
        assert one.annotation in WRONG, one.name
        option = TypeAdapter(hints[one.name])
        assert option.validate_python(one.default, strict=True) == one.default
        with pytest.raises(ValidationError):
            option.validate_python(WRONG[one.annotation], strict=True)


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_may_name_a_probe_alone(kind, tmp_path):
    assert written(tmp_path, kind).probes == {"entry": {"kind": kind}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_profile_may_spell_out_every_default(kind, tmp_path):
    defaults = {one.name: one.default for one in parameters(kind)}
    options = "\n".join(f"{name} = {json.dumps(value)}" for name, value in defaults.items())
    assert written(tmp_path, kind, f"{options}\nrate_hz = 2.5").probes["entry"] == {
        "kind": kind, "rate_hz": 2.5, **defaults,
    }  # fmt: skip


@pytest.mark.parametrize("options", ["no_such_option = 1", "rate_hz = 0", 'rate_hz = "often"'])
@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_option_of_a_probe_is_refused_with_its_place(kind, options, tmp_path):
    with pytest.raises(ConfigError, match=options.split()[0]) as caught:
        written(tmp_path, kind, options)
    assert "probes.entry" in caught.value.sentence


@pytest.mark.parametrize("kind", KINDS)
def test_a_probe_tells_numbers_or_reasons_on_this_machine_or_is_refused_with_a_remedy(kind):
    refused = refusal(kind, {})
    if refused:
        assert refused.what
        assert refused.remedy
        return
    with open_probe(kind, {}) as probe:
        names = [one.name for one in probe.channels]
        assert all(names)
        assert len(set(names)) == len(names) > 0
        assert {one.unit for one in probe.channels} <= UNITS
        assert_told(probe)
    assert_told(probe)


@pytest.mark.parametrize("kind", KINDS)
def test_every_probe_of_files_can_be_led_to_another_root(kind):
    names = {one.name for one in parameters(kind)}
    assert ("root" in names) == (kind not in WITHOUT_FILES)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - WITHOUT_FILES - NOT_ONLY_FILES))
def test_a_probe_below_an_empty_root_is_refused_with_a_remedy(kind, tmp_path):
    refused = refusal(kind, {"root": str(tmp_path)})
    assert refused.what
    assert refused.remedy


@pytest.mark.parametrize("kind", sorted(NOT_ONLY_FILES))
def test_a_probe_that_knows_more_than_files_gives_reasons_below_an_empty_root(kind, tmp_path):
    with open_probe(kind, {"root": str(tmp_path)}) as probe:
        assert_told(probe)
        assert all(isinstance(one, str) for _, readings in probe.read() for one in readings)


def test_the_documentation_names_these_probes(checkout):
    section = (checkout / "docs/telemetry.md").read_text(encoding="utf-8").split("\n## Sensors\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    assert sorted(re.findall("`([^`]+)`", " ".join(cells))) == KINDS
