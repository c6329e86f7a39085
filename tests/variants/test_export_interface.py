"""A new file calls its tensors as the parent's files do, and an engine that cannot read it is found out at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError, EngineError
from harness.variants.export.interface import Interface, interface, require_interface, task_outputs
from harness.variants.export.opsets import require_readable
from tests.variants.onnxnets import CARD, bench, net, saved

SHAPE = (1, 1, 10, 16)


def test_names_and_sizes_come_from_the_parent_and_the_card(tmp_path: Path) -> None:
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")})
    assert interface(work, "onnx") == Interface(shape=SHAPE, input="image", outputs=("scores",))


def test_a_format_without_a_parent_leaves_the_exporter_its_names(tmp_path: Path) -> None:
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")})
    found = interface(work, "tflite")
    assert (found.channel_last, found.input_shape, found.input, found.outputs) == (True, (1, 10, 16, 1), "", ())


def test_outputs_stand_in_the_order_of_the_net_and_not_of_the_card(tmp_path: Path) -> None:
    card = CARD.replace('{ scores = "scores" }', '{ boxes = "c1", scores = "scores" }') + (
        '[formats.pte]\noutputs = { boxes = "output1", scores = "output0" }\n'
    )
    model = net()
    model.graph.output.append(model.graph.output[0])
    model.graph.output[1].name = "c1"
    work = bench(tmp_path, {"onnx": saved(model, tmp_path / "fp32.onnx")}, card=card)
    assert task_outputs(work) == ("scores", "boxes")
    assert interface(work, "pte").outputs == ("output0", "output1")


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (Interface(shape=SHAPE, outputs=("boxes",)), "calls its outputs scores, and not boxes"),
        (Interface(shape=SHAPE, input="picture"), "takes image, and not picture"),
        (Interface(shape=(1, 1, 10, 20)), r"takes \[1, 1, 10, 16\], and not \[1, 1, 10, 20\]"),
    ],
)
def test_a_file_that_is_called_otherwise_is_refused(wanted: Interface, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=sentence):
        require_interface(wanted, saved(net(), tmp_path / "fp32.onnx"))


def test_a_model_with_further_inputs_is_not_exported(tmp_path: Path) -> None:
    card = CARD + "[extra_inputs.scale]\nshape = [1]\n"
    work = bench(tmp_path, {"onnx": saved(net(), tmp_path / "fp32.onnx")}, card=card)
    with pytest.raises(ConfigError, match=r"further inputs .scale.; only nets of one image are exported"):
        interface(work, "onnx")


# Where another test has imported JAX, it complains of the process that OpenVINO starts.
@pytest.mark.filterwarnings("ignore:os.fork")
def test_a_file_that_the_engines_of_this_host_read_says_nothing(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = saved(net(), tmp_path / "fp32.onnx")
    assert require_readable(path, ("onnxruntime", "openvino", "litert")) == ()


def test_an_opset_that_an_engine_does_not_know_yet_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = saved(net(opset=999), tmp_path / "fp32.onnx")
    with pytest.raises(EngineError, match=r"onnxruntime refuses the file of opset 999: .*; export with opset 17"):
        require_readable(path, ("onnxruntime",))


@pytest.mark.parametrize(
    ("opset", "notes"),
    [(17, ()), (9, ()), (18, ("opset 18 needs TensorRT 10.0 or newer; 8.5 takes 17 at most",)),
     (23, ("opset 23 needs TensorRT 10.15 or newer; 8.5 takes 17 at most",))],
)  # fmt: skip
def test_tensorrt_is_told_by_the_table_of_its_parser(opset: int, notes: tuple[str, ...], tmp_path: Path) -> None:
    assert require_readable(saved(net(opset=opset), tmp_path / "fp32.onnx"), ("trtexec",)) == notes


@pytest.mark.parametrize(("opset", "word"), [(8, "old"), (26, "new")])
def test_an_opset_that_no_tensorrt_takes_is_refused(opset: int, word: str, tmp_path: Path) -> None:
    path = saved(net(opset=opset), tmp_path / "fp32.onnx")
    with pytest.raises(EngineError, match=f"opset {opset} is too {word}: TensorRT 11.5 takes 9 to 25"):
        require_readable(path, ("tensorrt",))
