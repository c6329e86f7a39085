"""What all exports from torch share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def ready(net: Any) -> Any:
    """The net for inference, its weights in memory as every exporter expects them."""
    import torch

    return net.to(memory_format=torch.contiguous_format).eval()


def example(shape: Sequence[int]) -> Any:
    """An input of this shape."""
    import torch

    return torch.zeros(*shape)


def channel_last(net: Any) -> Any:
    """The net with an input of [batch, height, width, channels]."""
    import torch

    class ChannelLast(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, picture: Any) -> Any:
            return self.net(picture.permute(0, 3, 1, 2))

    return ChannelLast().eval()


def listed(found: Any) -> tuple[Any, ...]:
    """The outputs of a net as a tuple."""
    return tuple(found) if isinstance(found, (tuple, list)) else (found,)
