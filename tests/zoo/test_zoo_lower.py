"""Exported programs agree with the net whose ONNX file they were made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")
pytest.importorskip("onnx")

from harness.case import InputSpec  # noqa: E402
from harness.errors import EngineError  # noqa: E402
from harness.modelfile import inspect_model  # noqa: E402
from harness.zoo import export, lower, measure, nets, parity  # noqa: E402
from harness.zoo.recipes import RECIPES  # noqa: E402

RECIPE = replace(RECIPES["eye_state"], name="tiny", input=InputSpec(width=16, height=16))
pytestmark = pytest.mark.filterwarnings("default")


def tiny() -> torch.nn.Module:
    return nets.Classifier(nets.Conv(1, 8, stride=2), 8, 2)


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(nets.NETS, "tiny", tiny)


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (4, 16, 16), np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained net as ONNX file, as training leaves it."""
    torch.manual_seed(2)
    net = tiny()
    net(torch.rand(4, 1, 16, 16))
    folder = tmp_path_factory.mktemp("lowered")
    export.to_onnx(net.eval(), RECIPE, folder / "fp32.onnx")
    return folder


def test_a_net_comes_back_from_its_onnx_file_and_agrees_in_every_format(folder: Path, pictures: np.ndarray) -> None:
    net = lower.net_of(RECIPE, folder / "fp32.onnx")
    assert lower.require_same(net, RECIPE, folder / "fp32.onnx", pictures) < 1e-5
    lower.to_pt2(net, RECIPE, folder / "fp32.pt2")
    lower.to_int8_pte(net, RECIPE, pictures, folder / "int8.pte")
    assert inspect_model(folder / "int8.pte").weight_dtype == "int8"
    found = {(one.engine, one.file): one for one in parity.compare(RECIPE, folder, pictures)}
    assert found["torch", "fp32.pt2"].largest < 1e-5
    assert found["executorch", "int8.pte"].largest < 0.1
    assert export.output_names(folder, RECIPE)["pt2"] == {"scores": "linear"}


def test_another_net_than_the_file_s_is_refused(folder: Path, pictures: np.ndarray) -> None:
    with pytest.raises(EngineError, match=r"'scores' differs by .*fp32.onnx"):
        lower.require_same(nets.folded(tiny()), RECIPE, folder / "fp32.onnx", pictures)


@pytest.mark.parametrize("places", [(0,), (1,), (3,)])
def test_nan_of_any_frame_is_no_agreement(folder: Path, pictures: np.ndarray, places: tuple[int, ...]) -> None:
    wanted = list(measure.answers(RECIPE, folder / "fp32.onnx", "onnxruntime", pictures))
    found = [{"scores": one["scores"] * np.float32(np.nan if at in places else 1)} for at, one in enumerate(wanted)]
    assert np.isnan(parity.agreement(RECIPE, wanted, found, "none", folder / "none").largest)


def test_outputs_of_another_shape_are_no_agreement(folder: Path) -> None:
    one, other = {"scores": np.ones((1, 2), np.float32)}, {"scores": np.ones((1, 1), np.float32)}
    with pytest.raises(EngineError, match="other outputs"):
        parity.agreement(RECIPE, [one], [other], "none", folder / "none")


class Late(torch.nn.Module):
    """A net whose answers after the first are NaN, or of another shape."""

    def __init__(self, net: torch.nn.Module, factor: torch.Tensor) -> None:
        super().__init__()
        self.net, self.factor, self.calls = net, factor, 0

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.net(picture) * (self.factor if self.calls > 1 else 1.0)


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (torch.tensor(torch.nan), "differs by nan in frame 1 of 4"),
        (torch.ones(3, 1, 1), "the outputs are .* .frame 1."),
    ],
)
def test_a_net_that_gives_nan_or_another_shape_is_refused(
    factor: torch.Tensor, sentence: str, folder: Path, pictures: np.ndarray
) -> None:
    net = Late(lower.net_of(RECIPE, folder / "fp32.onnx"), factor)
    with pytest.raises(EngineError, match=sentence):
        lower.require_same(net, RECIPE, folder / "fp32.onnx", pictures)


def test_a_box_of_another_class_is_another_decision(folder: Path) -> None:
    recipe = RECIPES["face_detection"]
    box, other = np.float32([[1, 1, 9, 9, 0.9, 0]]), np.float32([[1, 1, 9, 9, 0.9, 1]])
    assert parity._same(recipe, box, box)
    assert not parity._same(recipe, box, other)


def test_a_difference_is_measured_and_a_changed_decision_is_counted(folder: Path, pictures: np.ndarray) -> None:
    wanted = next(measure.answers(RECIPE, folder / "fp32.onnx", "onnxruntime", pictures[:1]))
    flipped = {"scores": wanted["scores"][:, ::-1].copy()}
    agreement = parity.agreement(RECIPE, [wanted, wanted], [wanted, flipped], "none", folder / "none")
    assert agreement.agreeing_percent == 50.0
    assert agreement.largest == pytest.approx(float(np.ptp(wanted["scores"])))
