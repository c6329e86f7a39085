"""The card's net comes back with the weights of its file, or a sentence says what does not fit."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="the nets are torch modules: pip install 'dms-harness[zoo]'")
pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from harness.errors import ConfigError, EngineError  # noqa: E402
from harness.variants.libraries import library  # noqa: E402
from harness.variants.training.nets import built, folded, multiply_accumulates, net_of, require_same  # noqa: E402
from tests.variants import toynets  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TOY = "tests.variants.toynets"


def named(net: str) -> str:
    return toynets.CARD.replace(f"{TOY}:classifier", net)


def test_the_net_of_a_card_gives_what_its_file_gives(tmp_path: Path) -> None:
    bench = toynets.bench(tmp_path)
    net = net_of(bench)
    assert require_same(net, bench) < 1e-5
    assert not net.training


@pytest.mark.parametrize(
    ("net", "reason"),
    [
        ("tests.variants.toynets:absent", "there is no 'tests.variants.toynets:absent'"),
        ("tests.variants.nowhere:net", "there is no 'tests.variants.nowhere:net'.*package.module:function"),
        (f"{TOY}:no_function", "is no function"),
        (f"{TOY}:not_a_net", "gives a dict and no torch.nn.Module"),
        (f"{TOY}:wider", r"of another shape: 0.1.0.bias \[32\] instead of \[48\]"),
        (f"{TOY}:deeper", "not in the file: 0.2.0.bias, 0.2.0.weight"),
        (f"{TOY}:shallower", r"not in the net: 0.1.0.bias, 0.1.0.weight; of another shape: 3.weight"),
    ],
)
def test_a_net_that_is_not_the_file_s_is_refused_with_the_place_in_the_card(
    tmp_path: Path, net: str, reason: str
) -> None:
    bench = toynets.bench(tmp_path, card=named(net))
    with pytest.raises(ConfigError, match=reason) as caught:
        net_of(bench)
    assert "model.toml, training.net" in caught.value.where


def test_a_net_that_uses_the_same_weights_otherwise_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="'scores' differs by"):
        net_of(toynets.bench(tmp_path, card=named(f"{TOY}:leaky")))


@pytest.mark.parametrize("role", ["net", "student"])
def test_a_card_that_names_no_net_says_how_to_name_one(tmp_path: Path, role: str) -> None:
    card = toynets.CARD.replace(f"{role} = ", 'dataset = { kind = "cabin" } #')
    with pytest.raises(ConfigError, match=f'the card names no {role} to train .*{role} = "package.module:function"'):
        built(toynets.bench(tmp_path, card=card), role)  # type: ignore[arg-type]


def test_a_card_without_training_says_the_same(tmp_path: Path) -> None:
    card = toynets.CARD[: toynets.CARD.index("[training]")] + toynets.CARD[toynets.CARD.index("[variants") :]
    with pytest.raises(ConfigError, match="the card names no net to train"):
        net_of(toynets.bench(tmp_path, card=card))


def test_an_absent_library_says_how_to_get_it() -> None:
    with pytest.raises(ConfigError, match=r"torch-absent is not installed, .*; pip install 'dms-harness\[zoo\]'"):
        library("torch_absent.inner")


def test_only_a_normalisation_that_follows_a_convolution_is_folded_and_the_net_computes_the_same() -> None:
    torch.manual_seed(1)
    net = torch.nn.Sequential(torch.nn.BatchNorm2d(1), toynets.conv(1, 4), torch.nn.ReLU(), torch.nn.BatchNorm2d(4))
    pictures = torch.rand(8, 1, 6, 6)
    net(pictures)
    plain = folded(net)
    left = [name for name, one in plain.named_modules() if isinstance(one, torch.nn.BatchNorm2d)]
    assert left == ["0", "3"]
    assert torch.allclose(plain(pictures), net.eval()(pictures), atol=1e-6)
    assert isinstance(net[1][1], torch.nn.BatchNorm2d)


def test_multiplications_of_pictures_with_channels_are_counted() -> None:
    assert multiply_accumulates(torch.nn.Conv2d(3, 2, 3, padding=1), 3, 4, 5) == 2 * 4 * 5 * 27
