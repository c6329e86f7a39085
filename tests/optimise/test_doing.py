"""A step is done once, and again where that is asked for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.optimise.doing import Doing
from harness.optimise.journal import Journal
from harness.optimise.made import MadeFile, MadeVariant
from harness.optimise.steps import Steps
from tests.optimise.techniques import candidate


@pytest.fixture
def times_made(wanted, card):
    """How often a candidate is made that is asked for twice, the second time with these changes."""

    def ask(fault: str, **changes) -> int:
        one, said = candidate("quick", goes_wrong=fault), []
        asked = wanted(one)
        parent = MadeVariant(files={"sim": MadeFile.of_parent(card.file("fp32", "sim"), "sim")})
        for now in (asked, replace(asked, **changes)):
            journal = Journal(folder=now.folder(card) / "journal")
            doing = Doing(wanted=now, card=card, journal=journal, steps=Steps([], said.append), say=said.append)
            doing.make(one, parent)
        return sum("retelling" in line for line in said)

    return ask


@pytest.mark.parametrize(
    ("fault", "changes", "times"),
    [
        ("", {}, 1), ("", {"retry": True}, 1), ("", {"seed": 2}, 2),
        ("refuse", {}, 1), ("refuse", {"retry": True}, 2), ("half", {}, 1), ("half", {"retry": True}, 2),
    ],
)  # fmt: skip
def test_what_failed_is_tried_again_where_that_is_asked_for_if_only_one_format_did(times_made, fault, changes, times):
    assert times_made(fault, **changes) == times


def test_weights_beside_a_file_are_a_part_of_its_hash(tmp_path):
    onnx = pytest.importorskip("onnx")
    import numpy as np

    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["in", "far"], ["out"])], "net",
        [onnx.helper.make_tensor_value_info("in", onnx.TensorProto.FLOAT, [6])],
        [onnx.helper.make_tensor_value_info("out", onnx.TensorProto.FLOAT, [6])],
        [onnx.numpy_helper.from_array(np.arange(6, dtype=np.float32), "far")],
    )  # fmt: skip
    path, weights = tmp_path / "net.onnx", tmp_path / "weights.bin"
    onnx.save(
        onnx.helper.make_model(graph), str(path), save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    before = MadeFile.of_parent(path, "onnx")
    weights.write_bytes(np.ones(6, np.float32).tobytes())
    assert MadeFile.of_parent(path, "onnx") != before
    weights.unlink()
    assert MadeFile.of_parent(path, "onnx") == MadeFile.read(path)
