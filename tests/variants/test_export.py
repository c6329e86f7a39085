"""A torch net becomes files that are called as the parent's and agree with the net, or a sentence why not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxruntime")

from harness.errors import HarnessError  # noqa: E402
from harness.modelfile import inspect_model  # noqa: E402
from harness.variants import Bench, Made  # noqa: E402
from harness.variants.export import export  # noqa: E402
from harness.variants.export.interface import Interface  # noqa: E402
from harness.variants.export.onnx_file import OnnxForm  # noqa: E402
from harness.variants.export.program import to_pt2  # noqa: E402
from harness.variants.fusion import fusion  # noqa: E402
from tests.variants.onnxnets import CARD, bench, net, saved  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
nn = torch.nn
NAMED = CARD + '[formats.pte]\noutputs = { scores = "output0" }\n[formats.pt2]\noutputs = { scores = "answer" }\n'


class Mean(nn.Module):
    """The mean over places without its axes, which XNNPACK does not take; `then` is asked after it."""

    def __init__(self, then: Any = None) -> None:
        super().__init__()
        self.then = then or (lambda scores: scores)

    def forward(self, picture: Any) -> Any:
        return self.then(picture.mean((2, 3)))


def tiny(then: Any = None) -> Any:
    torch.manual_seed(4)
    return nn.Sequential(nn.Conv2d(1, 4, 3, stride=2), nn.ReLU(), nn.Conv2d(4, 2, 1), Mean(then)).eval()


def work(folder: Path, *formats: str, **options: Any) -> Bench:
    parent = saved(net(), folder / "fp32.onnx")
    return bench(folder, {"onnx": parent}, formats=formats, card=NAMED, **options)


def test_every_file_is_called_as_the_card_says_and_agrees_on_real_frames(tmp_path: Path) -> None:
    made = export(tiny(), work(tmp_path, "onnx", "pt2"), "small")
    assert {name: path.name for name, path in made.files.items()} == {"onnx": "small.onnx", "pt2": "small.pt2"}
    named = {name: [one.name for one in inspect_model(path).outputs] for name, path in made.files.items()}
    assert named == {"onnx": ["scores"], "pt2": ["answer"]}
    assert all(facts["largest_difference"] < 1e-5 for facts in made.facts.values())
    assert made.facts["onnx"]["same_decisions_percent"] == 100.0
    assert made.failures == {}


class Both(nn.Module):
    """Two outputs, called "relu" and "add" by the exporter."""

    def forward(self, picture: Any) -> Any:
        return picture.relu(), picture.mean((2, 3)) + 1


@pytest.mark.parametrize("outputs", [("add", "relu"), ("mean", "picture2"), ("scores", "boxes")])
def test_outputs_may_take_any_name_of_the_program(outputs: tuple[str, str], tmp_path: Path) -> None:
    path = tmp_path / "both.pt2"
    to_pt2(Both().eval(), Interface(shape=(1, 1, 10, 16), input="image", outputs=outputs), path)
    info = inspect_model(path)
    assert ([one.name for one in info.inputs], [one.name for one in info.outputs]) == (["image"], list(outputs))
    picture = torch.arange(160.0).reshape(1, 1, 10, 16) - 80
    found = torch.export.load(path).module()(picture)
    assert torch.equal(found[0], picture.relu())
    assert found[1].item() == pytest.approx(0.5)


def test_a_net_with_more_outputs_than_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="the net gives 2 outputs, and the model has 1: scores"):
        export(tiny(lambda scores: (scores, scores + 1)), work(tmp_path, "onnx"), "small")


def test_the_same_net_gives_the_same_files(tmp_path: Path) -> None:
    hashes = [
        {
            name: facts["sha256"]
            for name, facts in export(tiny(), work(tmp_path / folder, "onnx", "pt2"), "a").facts.items()
        }
        for folder in ("first", "second")
    ]
    assert hashes[0] == hashes[1]


def test_a_program_for_xnnpack_is_one_piece_though_the_net_means_over_places(tmp_path: Path) -> None:
    pytest.importorskip("executorch")
    made = export(tiny(), work(tmp_path, "pte"), "small")
    assert [one.name for one in inspect_model(made.files["pte"]).outputs] == ["output0"]
    assert fusion(made.files["pte"], "executorch", {}).fused == 1
    assert made.facts["pte"]["largest_difference"] < 1e-5


def test_a_tflite_file_takes_its_channels_last_and_the_names_of_the_card(tmp_path: Path) -> None:
    pytest.importorskip("litert_torch")
    given = work(tmp_path, "tflite")
    card = given.card.model_copy(
        update={"formats": {**given.card.formats, "tflite": given.card.formats["tflite"].model_copy(
            update={"outputs": {"scores": "answer"}, "input_name": "picture"})}}
    )  # fmt: skip
    made = export(tiny(), Bench(**{**vars(given), "card": card}), "small")
    info = inspect_model(made.files["tflite"])
    assert ([(one.name, one.shape) for one in info.inputs], [one.name for one in info.outputs]) == (
        [("picture", (1, 10, 16, 1))], ["answer"]
    )  # fmt: skip
    assert made.facts["tflite"]["largest_difference"] < 1e-5


@pytest.mark.parametrize("exporter", ["legacy", "dynamo"])
def test_an_open_batch_and_size_are_run_at_another_size(exporter: str, tmp_path: Path) -> None:
    if exporter == "dynamo":
        pytest.importorskip("onnxscript")
    form = OnnxForm(exporter=exporter, opset=18, dynamic_batch=True, dynamic_size=True)
    made = export(tiny(), work(tmp_path, "onnx"), "open", form)
    assert inspect_model(made.files["onnx"]).inputs[0].shape == (-1, 1, -1, -1)
    assert (made.facts["onnx"]["opset"], made.facts["onnx"]["exporter"]) == (18, exporter)


def test_a_dynamo_file_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    made = export(tiny(), work(tmp_path, "onnx"), "newer", OnnxForm(exporter="dynamo", opset=18))
    content = made.files["onnx"].read_bytes()
    assert b"stack_trace" not in content
    assert str(Path(__file__).parent).encode() not in content


class Fixed(nn.Module):
    """A net with a linear layer for one size only."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(160, 2)

    def forward(self, picture: Any) -> Any:
        return self.head(picture.flatten(1))


class Counting(nn.Module):
    """Its answer depends on how often it was asked: the traced file is another function."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor, self.calls = factor, 0

    def forward(self, scores: Any) -> Any:
        self.calls += 1
        return scores * (self.factor if self.calls > 2 else 1.0)


@pytest.mark.parametrize(
    ("make", "form", "sentence"),
    [
        (tiny, OnnxForm(opset=8), "opset 8 is too old: the legacy exporter writes 9 to "),
        (tiny, OnnxForm(opset=99), r"opset 99 is too new: the legacy exporter writes .*; take 17"),
        (
            tiny,
            OnnxForm(opset=17, exporter="dynamo"),
            "opset 17 is too old: the dynamo exporter writes 18 to .*; take 18",
        ),
        (tiny, OnnxForm(exporter="newest"), "no exporter called 'newest'"),
        (Fixed, OnnxForm(dynamic_size=True), r"the net does not run on \[1, 1, 20, 32\]: .*; leave the size fixed"),
        (lambda: tiny(Counting(2.0)), OnnxForm(), "output 'scores' differs by"),
        (lambda: tiny(Counting(float("nan"))), OnnxForm(), "output 'scores' differs by nan"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence_and_leaves_no_file(
    make: Any, form: OnnxForm, sentence: str, tmp_path: Path
) -> None:
    given = work(tmp_path, "onnx")
    with pytest.raises(HarnessError, match=f"the net cannot be exported: onnx: {sentence}"):
        export(make().eval(), given, "small", form)
    assert not list(given.folder.glob("*"))


def test_one_format_that_fails_leaves_the_others(tmp_path: Path) -> None:
    made: Made = export(tiny(), work(tmp_path, "pt2", "engine"), "small")
    assert list(made.files) == ["pt2"]
    assert made.failures["engine"].startswith("no format that a net is exported to called 'engine'")


def test_an_unfused_graph_of_torch_is_fused_by_the_engine(tmp_path: Path) -> None:
    layers = nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8), nn.ReLU()
    )
    path = tmp_path / "unfused.onnx"
    torch.onnx.export(
        layers.eval(), (torch.zeros(1, 1, 10, 16),), str(path), dynamo=False, opset_version=17,
        do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE,
    )  # fmt: skip
    report = fusion(path, "onnxruntime", {})
    assert (report.convolutions, report.fused, report.batch_norms_left) == (2, 2, 0)
    assert {(one.activation, one.folded) for one in report.layers} == {("Relu", True)}
