"""Quantisation-aware training: the net learns with rounded weights and activations, then is quantised as any other.

torchao's PT2E quantiser puts the rounding in (activations U8, weights S8 per channel, as ONNX Runtime and OpenVINO run
them on x86). What was learned goes back into the plain net, whose files are made by technique "static".
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from harness.variants import Bench, Made, Recipe, technique
from harness.variants.export.equality import compared, file_answers, first_frames, net_answers
from harness.variants.libraries import library, quiet
from harness.variants.quantise.performat import check_options
from harness.variants.quantise.static import OPTIONS
from harness.variants.training.courses import course
from harness.variants.training.finishing import exported, judged
from harness.variants.training.loop import distil, plain_batch
from harness.variants.training.nets import example, net_of, one_thread, output_names

ROUNDED: Mapping[str, Any] = {"steps": 200, "learning_rate": 1e-4, "batch": 32, "float32": True}
COMPARED_FRAMES = 300
QUANTISER = "torchao.quantization.pt2e.quantizer.x86_inductor_quantizer"


def quantisation_aware(recipe: Recipe, bench: Bench) -> Made:
    """Integers that the net was trained for. Options: ROUNDED, all others go to technique "static"."""
    check_options(recipe, (*ROUNDED, *OPTIONS))
    net, rounded, facts = quantisation_tuned(recipe, bench)
    rest = {key: value for key, value in recipe.options.items() if key not in ROUNDED}
    bench.folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=bench.folder) as folder:
        floats = exported(net, recipe, replace(bench, folder=Path(folder)))
        static = technique("static")
        made = static(replace(recipe, technique="static", options=rest), replace(bench, files=floats.files))
    facts = {**facts, **made.facts, **agreement(rounded, made, bench)}
    return replace(made, facts=facts, failures={**floats.failures, **made.failures})


def quantisation_tuned(recipe: Recipe, bench: Bench) -> tuple[Any, Any, dict[str, Any]]:
    """The tuned net in float, the same one as it rounds, and what came of it."""
    own = replace(recipe, options={key: value for key, value in recipe.options.items() if key in ROUNDED})
    pt2e, parent = library("torchao.quantization.pt2e"), net_of(bench)
    net = rounding(parent, bench)
    net(plain_batch(bench))
    # Ranges would go on following whatever the net is judged on.
    net.apply(pt2e.disable_observer)
    facts = {"parent": judged(parent, parent, bench), "after_rounding": judged(net, parent, bench)}
    net.apply(pt2e.enable_observer)
    trained = distil(net, parent, bench, course(own, ROUNDED))
    net.apply(pt2e.disable_observer)
    plain = copy.deepcopy(parent)
    plain.load_state_dict(dict(net.named_parameters()))
    after = {"after_training": judged(net, parent, bench), "after_training_in_float": judged(plain, parent, bench)}
    return plain, net, {**facts, **after, **trained.facts}


def rounding(net: Any, bench: Bench) -> Any:
    """`net` as a graph that rounds its activations to 8 bits and its weights to 8 bits per channel."""
    torch, quantiser = library("torch"), library(QUANTISER)
    prepare = library("torchao.quantization.pt2e.quantize_pt2e").prepare_qat_pt2e
    any_batch = ({0: torch.export.Dim.DYNAMIC},)
    with quiet():
        graph = torch.export.export(copy.deepcopy(net), (example(bench, 2),), dynamic_shapes=any_batch).module()
        scheme = quantiser.get_default_x86_inductor_quantization_config(is_qat=True)
        return prepare(graph, quantiser.X86InductorQuantizer().set_global(scheme))


def agreement(rounded: Any, made: Made, bench: Bench) -> dict[str, Any]:
    """How often the ONNX file decides as the net that was trained, on tuning frames; nothing without such a file."""
    if "onnx" not in made.files:
        return {}
    frames = first_frames(bench.frames.tuning, COMPARED_FRAMES)
    with one_thread():
        ours = list(net_answers(rounded, output_names(bench), bench.card, frames))
    found = compared(ours, file_answers(made.files["onnx"], bench.card, frames), bench.card, frames)
    return {"onnx_against_trained": found.facts()}
