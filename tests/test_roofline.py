"""The roofline floor: by hand, monotone, below every schedule, and honest about what it leaves out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.layers import Layer, Network
from harness.profile import Facts
from harness.roofline import Multiple, floor_of, has_facts, precisions_that_ran

ALL = Facts(int8_tops=100.0, fp16_tflops=50.0, fp32_tflops=5.0, memory_bandwidth_gb_s=200.0)


def layer(macs=1_000_000, parameters=0, precision="fp32", read=0, written=0, operator="Conv"):
    return Layer(
        name="one", operator=operator, macs=macs, parameter_bytes=parameters, read_bytes=read, written_bytes=written,
        precision=precision,
    )  # fmt: skip


def network(*layers, **more):
    return Network(layers=layers, **more)


@pytest.mark.parametrize(
    ("precision", "compute_ms"), [("int8", 2 * 5e9 / 100e12), ("fp16", 2 * 5e9 / 50e12), ("fp32", 2 * 5e9 / 5e12)]
)
def test_multiply_adds_count_as_two_operations_at_the_peak_of_their_precision(precision, compute_ms):
    found = floor_of(network(layer(5_000_000_000, precision=precision)), ALL)
    assert found.compute_ms == pytest.approx(1e3 * compute_ms)
    assert (found.bound, found.precisions, found.labels) == ("compute", (precision,), ())


def test_weights_inputs_and_outputs_pass_the_memory_once():
    found = floor_of(network(layer(1, 300_000), layer(1, 90_000), input_bytes=9_000, output_bytes=1_000), ALL)
    assert found.memory_ms == pytest.approx(400_000 / 200e9 * 1e3)
    assert (found.bound, found.ms) == ("memory", found.memory_ms)
    assert found.intensity == pytest.approx(4 / 400_000)


def test_layers_of_several_precisions_add_up():
    found = floor_of(network(layer(10**9, precision="int8"), layer(10**9, precision="fp32")), ALL)
    assert found.compute_ms == pytest.approx(2e9 / 100e12 * 1e3 + 2e9 / 5e12 * 1e3)
    assert found.precisions == ("int8", "fp32")


def test_activations_and_what_an_engine_can_fuse_are_in_the_layerwise_time_alone():
    wide = layer(1000, 1000, read=10**6, written=10**6)
    small, large = (floor_of(network(one), ALL) for one in (layer(1000, 1000), wide))
    assert small.ms == large.ms
    assert large.layerwise_ms == pytest.approx(2_001_000 / 200e9 * 1e3)
    assert floor_of(network(wide, layer(0, 999, read=10**6, operator="Relu")), ALL).layerwise_ms == large.layerwise_ms


def test_a_faster_precision_that_ran_counts_for_time_and_bytes():
    found = floor_of(network(layer(10**9, 4_000_000)), ALL, {"int8", "fp32"})
    assert found.compute_ms == pytest.approx(2e9 / 100e12 * 1e3)
    assert found.moved_bytes == 1_000_000


def test_a_slower_precision_that_ran_counts_for_time_and_not_for_stored_bytes():
    found = floor_of(network(layer(10**9, 1_000_000, "int8")), ALL, {"fp32"})
    assert found.compute_ms == pytest.approx(2e9 / 5e12 * 1e3)
    assert found.moved_bytes == 1_000_000


@pytest.mark.parametrize(
    ("facts", "ran"),
    [
        ({}, set()),
        ({"precision": "as in the file"}, set()),
        ({"precision": "not answered by this target"}, set()),
        ({"precision": "fp16"}, {"fp16", "fp32"}),
        ({"precision": "f32", "layer_precisions": {"u8": 0.6, "f32": 0.3, "i64": 0.1}}, {"int8", "fp32"}),
        ({"precision": "int8", "layer_precisions": {"FP16": 1.0}}, {"fp16"}),
        ({"layer_precisions": {"INT8": 0.0, "Float": 1.0}}, {"fp32"}),
        ({"layer_precisions": {"undefined": 1.0}}, set()),
        ({"layer_precisions": "fp16", "precision": None}, set()),
    ],
)
def test_what_ran_is_what_the_engine_tells_of_its_layers_or_else_its_setting(facts, ran):
    assert precisions_that_ran(facts, network(layer())) == ran


@pytest.mark.parametrize(
    ("facts", "one", "missing", "label"),
    [
        ({"memory_bandwidth_gb_s": 10.0}, layer(), ("fp32_tflops",), "bandwidth alone, without fp32_tflops"),
        ({"fp32_tflops": 1.0}, layer(), ("memory_bandwidth_gb_s",), "multiply-adds alone, without memory_bandwidth"),
        ({"memory_mib": 1.0}, layer(), ("fp32_tflops", "memory_bandwidth_gb_s"), "no floor without fp32_tflops, mem"),
        ({"int8_tops": 9.0, "memory_bandwidth_gb_s": 10.0}, layer(precision="int4"), ("a peak for int4",), "bandwidth"),
        ({"memory_bandwidth_gb_s": 10.0}, layer(precision=""), ("a peak for unknown precision",), "bandwidth alone"),
    ],
)
def test_a_missing_fact_is_named_and_never_taken_for_nothing(facts, one, missing, label):
    found = floor_of(network(one, input_bytes=10), Facts(**facts))
    assert found.missing == missing
    assert found.labels[0].startswith(label)
    assert (found.bound, found.layerwise_ms) == ("", None)
    assert (found.ms is None) == ("no floor" in label)


def test_a_precision_without_peak_makes_the_sum_a_part_of_it():
    found = floor_of(network(layer(precision="int8"), layer()), Facts(int8_tops=1.0, memory_bandwidth_gb_s=1.0))
    assert found.compute_ms == pytest.approx(2e6 / 1e12 * 1e3)
    assert found.labels == ("part of the multiply-adds alone, without fp32_tflops",)


def test_operators_that_are_not_counted_are_named_in_every_sentence():
    found = floor_of(network(layer(), uncounted={"Loop": 2, "Odd": 1}), ALL)
    assert found.labels == ("at least: not counted are 2 Loop, Odd",)
    assert "not counted are 2 Loop, Odd" in Multiple(found, 3.0).sentence


def test_a_network_of_unknown_operators_has_only_its_ends_to_move():
    found = floor_of(network(layer(0), uncounted={"Odd": 1}, input_bytes=2_000_000), ALL)
    assert found.ms == pytest.approx(0.01)
    assert (found.compute_ms, found.bound) == (None, "")


@pytest.mark.parametrize(
    ("measured_ms", "value", "words"),
    [
        (8.0, 20.0, "8 ms is 20 times the floor of 0.4 ms (compute, fp32)"),
        (0.2, 0.5, "0.2 ms is below the floor of 0.4 ms (compute, fp32): fewer multiply-adds than the file asks for"),
        (None, None, "the floor of 0.4 ms (compute, fp32), floor only, nobody measured"),
    ],
)
def test_a_measured_time_stands_beside_its_floor(measured_ms, value, words):
    found = Multiple(floor_of(network(layer(10**9)), ALL), measured_ms)
    assert found.value == (None if value is None else pytest.approx(value))
    assert found.sentence.startswith(words)


def test_without_facts_there_is_no_floor_and_no_multiple():
    found = Multiple(floor_of(network(layer()), Facts()), 5.0)
    assert (found.value, found.floor.ms) == (None, None)
    assert found.sentence.startswith("no floor; no floor without fp32_tflops")
    assert not has_facts(Facts(memory_mib=1.0))
    assert has_facts(Facts(fp16_tflops=1.0))


POSITIVE = st.floats(0.01, 1e4)
FACTS = st.builds(
    Facts, int8_tops=POSITIVE, fp16_tflops=POSITIVE, fp32_tflops=POSITIVE, memory_bandwidth_gb_s=POSITIVE
)  # fmt: skip
SIZES = st.integers(0, 10**10)
LAYERS = st.builds(layer, st.integers(1, 10**12), SIZES, st.sampled_from(["int8", "fp16", "fp32"]), SIZES, SIZES)
NETWORKS = st.builds(
    lambda layers, given, made: network(*layers, input_bytes=given, output_bytes=made),
    st.lists(LAYERS, min_size=1, max_size=6), SIZES, SIZES,
)  # fmt: skip


@given(NETWORKS, FACTS, st.sampled_from(["macs", "parameter_bytes"]), st.integers(1, 10**10), st.integers(0, 5))
def test_the_floor_never_falls_with_more_work_or_more_bytes(whole, facts, field, more, place):
    layers = list(whole.layers)
    index = place % len(layers)
    layers[index] = replace(layers[index], **{field: getattr(layers[index], field) + more})
    before, after = floor_of(whole, facts), floor_of(replace(whole, layers=tuple(layers)), facts)
    assert after.ms >= before.ms
    assert after.layerwise_ms >= before.layerwise_ms


@given(NETWORKS, FACTS, FACTS)
def test_a_device_that_is_better_in_everything_has_no_higher_floor(whole, one, other):
    better = Facts(**{name: max(value, getattr(other, name)) for name, value in one if value is not None})
    assert floor_of(whole, better).ms <= floor_of(whole, one).ms


@given(NETWORKS, FACTS, st.data())
def test_no_schedule_is_faster_than_the_floor(whole, facts, data):
    """One arithmetic unit and one memory channel, each busy in any order and with any pauses, each layer after its
    weights: weights may come long before, activations may stay on the chip.
    """
    found = floor_of(whole, facts)
    pause = st.floats(0, 10)
    channel = whole.input_bytes / facts.memory_bandwidth_gb_s / 1e6
    unit = channel * data.draw(st.floats(0, 1))  # the first rows can be computed before the last have come
    for one in found.layers:
        channel += data.draw(pause) + one.layer.parameter_bytes / facts.memory_bandwidth_gb_s / 1e6
        unit = max(unit, data.draw(st.floats(0, 1)) * channel) + one.compute_ms + data.draw(pause)
    end = max(unit, channel + whole.output_bytes / facts.memory_bandwidth_gb_s / 1e6)
    assert found.ms <= end * (1 + 1e-9)


@given(NETWORKS, FACTS)
def test_the_floor_is_never_above_the_layerwise_time_of_a_chain_that_reads_and_writes_its_ends(whole, facts):
    first, last = whole.layers[0], whole.layers[-1]
    ends = replace(
        whole, input_bytes=math.floor(first.read_bytes / 4), output_bytes=math.floor(last.written_bytes / 4)
    )  # fmt: skip
    found = floor_of(ends, facts)
    assert found.ms <= found.layerwise_ms * (1 + 1e-9)
