"""The nets have the outputs that the tasks ask for, and lose nothing when they are folded."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from harness.zoo import nets  # noqa: E402
from harness.zoo.recipes import RECIPES  # noqa: E402

SHAPES = {"distraction": [(2, 5)], "eye_state": [(2, 2)], "gaze": [(2, 2)]}
MOST_PARAMETERS = 350_000


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_net_gives_the_outputs_of_its_task(name: str) -> None:
    size = RECIPES[name].input
    outputs = _outputs(nets.NETS[name]().eval(), torch.rand(2, 1, size.height, size.width))
    cells = sum((size.height // stride) * (size.width // stride) for stride in nets.STRIDES)
    assert [tuple(one.shape) for one in outputs] == SHAPES.get(name, [(2, cells, 4), (2, cells, 1)])


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_folding_removes_batch_normalisation_and_keeps_the_outputs(name: str) -> None:
    torch.manual_seed(1)
    net = nets.NETS[name]()
    size = RECIPES[name].input
    pictures = torch.rand(2, 1, size.height, size.width)
    net(pictures)
    plain = nets.folded(net)
    assert not any(isinstance(one, torch.nn.BatchNorm2d) for one in plain.modules())
    for first, second in zip(_outputs(net.eval(), pictures), _outputs(plain, pictures), strict=True):
        assert torch.allclose(first, second, atol=1e-4)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_net_uses_only_layers_that_quantise_well_and_stays_small(name: str) -> None:
    net = nets.NETS[name]()
    kinds = {
        type(one) for one in net.modules() if not list(one.children()) and not isinstance(one, torch.nn.ModuleList)
    }
    assert kinds <= {torch.nn.Conv2d, torch.nn.BatchNorm2d, torch.nn.ReLU, torch.nn.Linear}
    assert nets.parameters(net) < MOST_PARAMETERS


def test_distances_to_the_sides_are_never_negative() -> None:
    boxes, _ = nets.face_detection().eval()(torch.randn(1, 1, 160, 256))
    assert (boxes >= 0).all()


def test_multiplications_are_counted_once_per_output_number() -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3, stride=2, padding=1), torch.nn.Flatten(), torch.nn.Linear(64, 2))
    assert nets.multiply_accumulates(net, 8, 8) == 4 * 4 * 4 * 9 + 2 * 64


def _outputs(net: torch.nn.Module, pictures: torch.Tensor) -> list[torch.Tensor]:
    with torch.no_grad():
        found = net(pictures)
    return list(found) if isinstance(found, tuple) else [found]
