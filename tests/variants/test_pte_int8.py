"""INT8 programs for ExecuTorch: made from the parent's exported program, with layers left in float where asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("executorch")
pytest.importorskip("torchao")

from harness.errors import ConfigError, HarnessError  # noqa: E402
from harness.model import read_card  # noqa: E402
from harness.modelfile import inspect_model  # noqa: E402
from harness.variants import Bench, Recipe  # noqa: E402
from harness.variants.export.equality import compared, file_answers  # noqa: E402
from harness.variants.export.interface import interface  # noqa: E402
from harness.variants.export.program import to_pt2  # noqa: E402
from harness.variants.libraries import quiet  # noqa: E402
from harness.variants.ptefile import quantise as pte  # noqa: E402
from harness.variants.ptefile import ranges as pte_ranges  # noqa: E402
from harness.variants.ptefile import source as pte_source  # noqa: E402
from tests.variants.eyes_tflite import drawn  # noqa: E402

pytestmark = pytest.mark.filterwarnings("default")
CARD = """task = "classification"
[input]
width = 16
height = 16
[options]
classes = ["dark", "bright"]
[dataset]
kind = "raw"
path = "frames.y8"
[variants.fp32]
files = { pt2 = "fp32.pt2" }
"""


class Tiny(torch.nn.Module):
    """Two convolutions, the mean of all places, a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(1, 8, 3), torch.nn.Conv2d(8, 8, 3)
        self.head = torch.nn.Linear(8, 2)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        seen = torch.relu(self.second(torch.relu(self.first(picture))))
        return self.head(seen.mean((2, 3)))


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("tiny")
    (folder / "model.toml").write_text(CARD)
    torch.manual_seed(4)
    bench = Bench(
        card=read_card(folder), files={"pt2": folder / "fp32.pt2"}, formats=("pte",), engines=("executorch",),
        folder=folder / "made", cache=folder / "cache", say=lambda sentence: None,
        frames=SimpleNamespace(calibration=drawn(6, 16, 16)),
    )  # fmt: skip
    with quiet():
        net = Tiny().eval()
        plain = Bench(**{**vars(bench), "files": {}})
        to_pt2(net, interface(plain, "pt2"), bench.files["pt2"])
    return bench


def recipe(name: str = "made", **options: object) -> Recipe:
    return Recipe(name=name, technique="static", options=options)


def difference(path: Path, work: Bench) -> float:
    card, frames = work.card, work.frames.calibration
    first, second = (list(file_answers(one, card, frames)) for one in (work.files["pt2"], path))
    renamed = [dict(zip(one, other.values(), strict=True)) for one, other in zip(first, second, strict=True)]
    return compared(first, renamed, card, frames).largest


def test_all_layers_are_integers_in_one_part_of_xnnpack(work):
    path, facts = pte.quantise(recipe(), work)
    assert (facts["layers"], facts["quantised_layers"], facts["xnnpack_partitions"]) == (3, 3, 1)
    assert (facts["xnnpack_percent"], facts["notes"]) == (100.0, [])
    assert facts["layer_shares"]["int8"] > 0.8
    assert inspect_model(path).weight_dtype == "int8"
    assert 0 < difference(path, work) < 0.1
    json.dumps(facts)


def test_a_layer_stays_in_float_by_its_name(work):
    path, facts = pte.quantise(recipe("mixed", exclude=["second"]), work)
    assert (facts["quantised_layers"], facts["excluded"]) == (2, ["second"])
    assert facts["layer_shares"]["float32"] > 0.2
    assert difference(path, work) > 0


def test_every_method_gives_other_ranges(work):
    found = {method: scales(work, method) for method in ("minmax", "percentile", "entropy")}
    assert len(set(found.values())) == 3
    assert all(one <= other for one, other in zip(found["percentile"], found["minmax"], strict=True))


def scales(work: Bench, method: str) -> tuple[float, ...]:
    """Of all activations, in the order of the graph."""
    frames, spec = work.frames.calibration, work.card.input_spec("pte")
    how = pte_ranges.Calibration(method=method, percentile=99.0)
    with quiet():
        made = pte_ranges.quantised(pte_source.source_module(work), lambda: frames.tensors(spec), how)
    return tuple(node.args[1] for node in made.graph.nodes if ".quantize_per_tensor" in str(node.target))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"exclude": ["third"]}, "no layer 'third' with weights"),
        ({"method": "moving"}, "no calibration method called 'moving'"),
        ({"activations": "uint8"}, "XNNPACK has signed activations alone"),
    ],
)
def test_options_that_cannot_be_followed_are_refused(options, sentence, work):
    with pytest.raises(ConfigError, match=sentence):
        pte.quantise(recipe("refused", **options), work)
    assert not (work.folder / "refused.pte").exists()


def test_with_all_layers_left_out_nothing_is_made(work):
    with pytest.raises(HarnessError, match="no layer of it was quantised"):
        pte.quantise(recipe("none", exclude=["first", "second", "head"]), work)
    assert not (work.folder / "none.pte").exists()


def test_without_calibration_frames_nothing_is_made(work):
    empty = Bench(**{**vars(work), "frames": SimpleNamespace(calibration=drawn(0, 16, 16))})
    with pytest.raises(ConfigError, match="there is no calibration frame"):
        pte.quantise(recipe(), empty)


def test_a_missing_library_is_said_with_what_to_install(work, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchao.quantization.pt2e", None)
    with pytest.raises(ConfigError, match=r"torchao is not installed.*dms-harness\[zoo\]"):
        pte.quantise(recipe(), work)


def test_a_program_that_could_run_code_is_refused(work, tmp_path):
    path = tmp_path / "fp32.pt2"
    torch.export.save(torch.export.export(Tiny().eval(), (torch.zeros(1, 1, 16, 16),)), str(path))
    with_samples = Bench(**{**vars(work), "files": {"pt2": damaged(path, np.array([print], object))}})
    with pytest.raises(ConfigError, match="could run code"):
        pte_source.source_module(with_samples)


def damaged(path: Path, what: np.ndarray) -> Path:
    """The archive with one more member, a pickle."""
    import zipfile

    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/data/constants/custom_obj_0", what.dumps())
    return path
