"""FP16: half the file, the same inputs and outputs, and no promise of speed on a CPU."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from harness.errors import ConfigError, HarnessError
from harness.variants.quantise.half import half
from tests.modelfile.onnx_models import Net
from tests.variants.onnx_classifier import answers, bench, classifier, feeds, finished, noise, recipe


@pytest.fixture
def made(tmp_path):
    """Makes the ONNX file; the file and its facts."""

    def make(model=None, engines=("onnxruntime",)):
        found = half(recipe("half"), bench(tmp_path, classifier() if model is None else model, engines))
        return found.files["onnx"], found.facts["onnx"]

    return make


def test_the_same_recipe_gives_the_same_bytes(made):
    first = made()[0].read_bytes()
    assert made()[0].read_bytes() == first


def test_every_weight_is_halved_and_the_answers_stay(made, tmp_path):
    path, facts = made()
    weights = {one.data_type for one in onnx.load(str(path)).graph.initializer}
    assert weights == {TensorProto.FLOAT16}
    assert (facts["tensors_in_float16"], facts["tensors_in_float32"]) == (8, 0)
    assert 0 < noise(path, tmp_path / "fp32.onnx") < 0.01


def test_inputs_and_outputs_keep_their_type_and_the_graph_its_order(made):
    path, _ = made()
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    types = {one.type.tensor_type.elem_type for one in (*model.graph.input, *model.graph.output)}
    assert types == {TensorProto.FLOAT}


def test_the_cpu_provider_is_said_to_run_it_at_the_speed_of_fp32(made):
    path, facts = made()
    assert facts["float_convolutions"] == 3
    assert any("the speed of FP32" in one for one in facts["notes"])
    assert "notes" not in made(engines=("openvino",))[1]
    assert answers(path, feeds(1)).dtype == np.float32


def test_a_model_without_weights_is_refused(made):
    net = Net()
    pooled = net.op("GlobalAveragePool", net.op("Concat", "image", "image", axis=1))
    with pytest.raises(HarnessError, match="nothing to halve"):
        made(finished(net, net.op("Flatten", pooled)))


def test_it_has_no_options(tmp_path):
    with pytest.raises(ConfigError, match="no option called 'bits'"):
        half(recipe("half", bits=16), bench(tmp_path, classifier()))
