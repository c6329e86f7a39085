"""snpe-diagview's text: averages by name, what is no measurement absent, layers with their unit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.tooloutput.snpe import parse_diagnosis

TEXT = """Software library version: 9.8.7.6

Init: 700 us
RPC Init Time: 0 NONE

Average SNPE Statistics:
Total Inference Time: 400 us
Forward Propagate ..Time: 390 us
Accelerator Time: 100 us

Layer Times:
0: 11 cycles : DSP
1: 12 us : CPU
2: 13 cycles : DSP
3: 14 cycles : DSP
"""


def test_averages_come_by_name_and_none_is_no_measurement():
    found = parse_diagnosis(TEXT)
    assert found.version == "9.8.7.6"
    assert found.microseconds == {
        "Init": 700, "RPC Init Time": None, "Total Inference Time": 400, "Forward Propagate Time": 390,
        "Accelerator Time": 100,
    }  # fmt: skip
    assert found.accelerator_share == 0.25


def test_layers_tell_where_they_ran_and_in_which_unit():
    found = parse_diagnosis(TEXT)
    assert [(one.number, one.time, one.unit) for one in found.layers[:2]] == [(0, 11, "cycles"), (1, 12, "us")]
    assert found.placement == {"DSP": 0.75, "CPU": 0.25}
    assert found.partitions == {"DSP": 2, "CPU": 1}


@pytest.mark.parametrize("accelerator", ["0 us", "0 NONE"])
def test_an_accelerator_that_took_no_part_has_no_share(accelerator):
    assert parse_diagnosis(TEXT.replace("100 us", accelerator)).accelerator_share is None


@pytest.mark.parametrize("text", ["", "snpe-diagview: cannot open", TEXT.partition("Total")[0]])
def test_a_text_without_its_averages_is_refused(text):
    with pytest.raises(ValueError, match="Total Inference Time"):
        parse_diagnosis(text)


@given(st.text(max_size=200))
def test_no_text_raises_anything_but_value_errors(text):
    try:
        parse_diagnosis(text)
    except ValueError:
        return


# unit -> load, deserialize, init, total, forward, RPC, SNPE accelerator, accelerator, share, RPC init, layers
REAL = {
    "CPU": (149, 15997, 48856, 26458, 26448, 0, 0, 0, None, None, [(0, 1419, "us"), (100, 21, "us")]),
    "GPU": (237, 27144, 903746, 11676, 11642, 0, 0, 0, None, None, [(0, 144, "us"), (100, 46, "us")]),
    "DSP": (369, 15037, 283050, 3318, 3244, 1777, 1735, 603, 603 / 3318, 3212,
            [(0, 0, "cycles"), (1, 162014, "cycles"), (100, 18292, "cycles")]),
}  # fmt: skip
NAMES = (
    "Load", "Deserialize", "Init", "Total Inference Time", "Forward Propagate Time", "RPC Execute Time",
    "Snpe Accelerator Time", "Accelerator Time",
)  # fmt: skip


@pytest.mark.parametrize("unit", REAL)
def test_real_texts_parse_to_what_they_say(captures, unit):
    path = captures / "snpe" / "snpe2.9.0_diagview_mobilenetv2_cpu_gpu_dsp.txt"
    parts = dict(zip(*[iter(re.split(r"===== (\w+) =====\n", path.read_text(encoding="utf-8"))[1:])] * 2, strict=True))
    found, (*averages, share, rpc_init, layers) = parse_diagnosis(parts[unit]), REAL[unit]
    assert found.version == "2.9.0.4462"
    assert [found.microseconds[name] for name in NAMES] == averages
    assert found.microseconds["RPC Init Time"] == rpc_init
    assert found.accelerator_share == (pytest.approx(share) if share else None)
    assert [(one.number, one.time, one.unit) for one in found.layers] == layers
    assert found.placement == {unit: 1.0}
