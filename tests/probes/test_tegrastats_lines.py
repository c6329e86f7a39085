"""A line of tegrastats, in every form that boards print: the values of each word, and nothing from a damaged one."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tegralines import LINES, NANO, OLDEST, ORIN, SPACED, THOR, XAVIER, mutated

from harness.probes.tegraline import LONGEST, Memory, Part, TegrastatsError, parse_line

MUTATIONS = 100_000
OFF = Part()
MIB = 2**20


@pytest.mark.parametrize(
    ("line", "rails"),
    [
        (ORIN, {"VDD_GPU_SOC": 2500, "VDD_CPU_CV": 700, "VIN_SYS_5V0": 3100, "VDDQ_VDD2_1V8AO": 310}),
        (THOR, {"VDD_GPU": -410, "VDD_CPU_SOC_MSS": 7777, "VIN_SYS_5V0": 5000, "VIN": 31000}),
        (XAVIER, {"GPU": 20, "CPU": 310, "SOC": 930, "CV": 0, "VDDRQ": 620, "SYS5V": 1480}),
        (NANO, {"POM_5V_IN": 1900, "POM_5V_GPU": 0, "POM_5V_CPU": 210}),
        (OLDEST, {}),
        (SPACED, {"VDD_IN": 4000}),
    ],
)
def test_a_rail_has_its_momentary_value_and_never_the_average(line, rails):
    assert parse_line(line).rails_mw == rails


@pytest.mark.parametrize(
    ("line", "temperatures"),
    [
        (ORIN, {"cpu": 45.5, "soc0": "the sensor is off (-256 C)", "tj": 46.25}),
        (THOR, {"cpu": 50, "tj": 52, "gpu": 52}),
        (XAVIER, {"AO": 37.5, "GPU": 36.5, "CPU": -12, "Tdiode": 40, "PMIC": 100}),
        (NANO, {"PLL": 34, "iwlwifi": 41}),
        (OLDEST, {}),
    ],
)
def test_a_temperature_is_told_from_a_rail_of_its_name_and_a_sensor_that_is_off_has_none(line, temperatures):
    assert parse_line(line).temperatures_c == temperatures


@pytest.mark.parametrize(
    ("line", "cores"),
    [
        (ORIN, (Part(11, (1.2e6,)), Part(0, (729e3,)), OFF, Part(100, (2.201e6,)))),
        (XAVIER, (Part(5, (1.19e6,)), OFF)),
        (OLDEST, (Part(17, (1.734e6,)), OFF, Part(30, (1.734e6,)))),
        (SPACED, ()),
    ],
)
def test_each_core_has_its_load_and_clock_and_one_that_is_off_has_neither(line, cores):
    assert parse_line(line).cores == cores


@pytest.mark.parametrize(
    ("line", "emc", "gpu"),
    [
        (ORIN, Part(6, (2.133e6,)), Part(21, (612e3, 0))),
        (THOR, Part(None, (3.2e6,)), Part(None, (1.5e6, 1.4e6, 1.3e6))),
        (NANO, Part(0), Part(4)),
        (OLDEST, Part(2, (1.6e6,)), Part(9, (76e3,))),
        (SPACED, None, None),
    ],
)
def test_memory_controller_and_gpu_have_what_the_line_tells_of_them(line, emc, gpu):
    found = parse_line(line)
    assert (found.emc, found.gpu) == (emc, gpu)


@pytest.mark.parametrize(
    ("words", "engines"),
    [
        ("NVENC 716", {"NVENC": Part(None, (716e3,))}),
        ("NVENC 79%@166", {"NVENC": Part(79, (166e3,))}),
        ("NVENC0_FREQ @1556 NVENC1_FREQ off", {"NVENC0": Part(None, (1.556e6,)), "NVENC1": OFF}),
        ("GR3D2_FREQ 5%@0", {"GR3D2": Part(5, (0,))}),
        ("MTS fg 0% bg 3%", {}),
    ],
)
def test_an_engine_is_off_or_has_a_load_a_clock_or_both(words, engines):
    found = parse_line(f"RAM 1/2MB {words}")
    assert (found.engines, found.unknown) == (engines, 0)


def test_memory_is_in_bytes_and_the_date_is_kept_as_text():
    found = parse_line(ORIN)
    assert found.ram == Memory(2048 * MIB, 60000 * MIB)
    assert found.swap == Memory(16 * MIB, 30000 * MIB)
    assert found.stamp == "03-14-2031 15:09:26"
    assert parse_line(THOR).swap is None
    assert parse_line(NANO).stamp == ""


@pytest.mark.parametrize("line", LINES)
def test_the_known_forms_hold_no_word_that_is_not_understood(line):
    assert parse_line(line).unknown == 0


@pytest.mark.parametrize(
    ("words", "unknown"),
    [
        ("NEWTHING value", 2),
        ("NEWTHING 7", 2),
        ("Step 3/4", 2),
        ("VIN 3/4", 2),
        ("EMC_FREQ 7", 2),
        ("VDD_IN 5.5W/5.5W", 2),
        ("VDD_IN 99999999999mW", 2),
        ("VDD_IN ٣mW", 2),
        ("VDD_IN", 1),
        ("cpu@C", 1),
        ("cpu@4O.5C", 1),
        ("CPU [1%@2,?]", 2),
        ("CPU [1%@2,]", 2),
        ("GR3D_FREQ 5%@[1,,2]", 2),
        ("VDD_IN 1mW VDD_IN 2mW", 2),
        ("RAM 3/4MB", 2),
    ],
)
def test_what_is_not_understood_is_counted_and_gives_no_value(words, unknown):
    found = parse_line(f"RAM 1/2MB {words}")
    assert found.unknown == unknown
    assert found.ram == Memory(MIB, 2 * MIB)
    assert found.rails_mw == ({"VDD_IN": 1} if words.startswith("VDD_IN 1mW") else {})
    assert (found.cores, found.gpu, found.emc, found.engines, found.temperatures_c) == ((), None, None, {}, {})


@pytest.mark.parametrize(
    "text",
    ["", " ", "\0", "Fri Mar 14 15:09:26 UTC 2031", "tegrastats: command not found", "CPU [1%@2]", "RAM", "RAM 1/2",
     "RAM x/yMB", "ERROR 3/4", "03-14-2031 15:09:26", "x" * (LONGEST + 1), "RAM 1/2MB" + " " * LONGEST],
)  # fmt: skip
def test_a_text_that_is_no_line_of_tegrastats_is_refused_with_the_reason(text):
    with pytest.raises(TegrastatsError, match=r"neither memory nor a rail|characters"):
        parse_line(text)


@pytest.mark.parametrize(
    "piece", ["(", ")", "[", "MTS fg ", "MTS  ", "MTS fg 0% ", "a@", "9", "0/", "CPU [", "1%@2,", " ", "@[1,", "mW/1"]
)
def test_the_worst_lines_take_no_longer_than_others(piece):
    start = time.process_time()
    for prefix in ("RAM 1/2MB ", "CPU [", "x@", ""):
        try:
            parse_line((prefix + piece * LONGEST)[:LONGEST])
        except TegrastatsError:
            continue
    assert time.process_time() - start < 1


def test_a_hundred_thousand_damaged_lines_raise_nothing_but_the_parsers_own_error():
    dice = random.Random(20310314)
    parsed = 0
    for number in range(MUTATIONS):
        try:
            found = parse_line(mutated(LINES[number % len(LINES)], dice))
        except TegrastatsError:
            continue
        parsed += 1
        assert all(map(math.isfinite, found.rails_mw.values()))
    assert parsed > MUTATIONS / 3


@given(st.text() | st.lists(st.sampled_from(" ".join(LINES).split()), max_size=60).map(" ".join))
def test_any_text_is_a_line_or_refused(text):
    try:
        found = parse_line(text)
    except TegrastatsError:
        return
    assert found.ram or found.rails_mw


NAMES = st.from_regex(r"V[A-Z0-9_]{1,12}", fullmatch=True)


@given(
    rails=st.dictionaries(NAMES, st.integers(-(10**6), 10**6)),
    others=st.lists(st.integers(-999, 99999), max_size=2),
    cores=st.lists(st.none() | st.tuples(st.integers(0, 100), st.integers(0, 9999)), min_size=1, max_size=16),
    celsius=st.integers(-255, 999),
)
def test_what_was_written_into_a_line_is_read_from_it(rails, others, cores, celsius):
    listed = ",".join("off" if one is None else f"{one[0]}%@{one[1]}" for one in cores)
    powers = " ".join(f"{name} " + "/".join(f"{one}mW" for one in (value, *others)) for name, value in rails.items())
    found = parse_line(f"RAM 5/9MB CPU [{listed}] tj@{celsius}.5C {powers}")
    assert found.rails_mw == rails
    assert found.cores == tuple(OFF if one is None else Part(one[0], (1e3 * one[1],)) for one in cores)
    assert found.temperatures_c == {"tj": float(f"{celsius}.5")}
    assert found.unknown == 0
