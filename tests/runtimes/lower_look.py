"""Writes look.pte, which test_executorch.py runs, with the extra `executorch`: `python -m tests.runtimes.lower_look`.

It stands beside the tests because lowering takes ten times as long as all that they do with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

LOOK = Path(__file__).with_name("look.pte")


class Mixed(torch.nn.Module):
    """A convolution that XNNPACK takes and operators that it leaves."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(1, 2, 3)

    def forward(self, picture: Any) -> Any:
        return self.first(picture).argmax(1), self.first(picture)


def main() -> None:
    """A program with one method called `look`, open sizes, and portable operators."""
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    torch.manual_seed(1)
    sizes = {"picture": {2: torch.export.Dim("height", min=4, max=12)}}
    program = torch.export.export(Mixed().eval(), (torch.ones(1, 1, 8, 8),), dynamic_shapes=sizes)
    edge = to_edge_transform_and_lower({"look": program}, partitioner=[XnnpackPartitioner()])
    LOOK.write_bytes(edge.to_executorch().buffer)


if __name__ == "__main__":
    main()
