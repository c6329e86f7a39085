"""Pruning: whole channels, so that every engine has less to do, or single weights, which only files and papers notice.

Both are followed by distillation from the net that was pruned.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from harness.errors import ConfigError
from harness.variants import Bench, Made, Recipe
from harness.variants.libraries import library
from harness.variants.training.courses import Course, course
from harness.variants.training.finishing import finished, judged, work_facts
from harness.variants.training.loop import distil, plain_batch
from harness.variants.training.nets import example, folded, net_of, unfolded

CHANNELS: Mapping[str, Any] = {"ratio": 0.5, "steps": 3000, "learning_rate": 3e-3, "batch": 32}
WEIGHTS: Mapping[str, Any] = {"ratio": 0.7, "steps": 600, "learning_rate": 1e-3, "batch": 32}
ROUND_TO_CHANNELS = 8


def pruned(recipe: Recipe, bench: Bench) -> Made:
    """A share `ratio` of the channels of every layer less. Options: CHANNELS."""
    return finished(*with_fewer_channels(recipe, bench), recipe, bench)


def sparse(recipe: Recipe, bench: Bench) -> Made:
    """A share `ratio` of the weights of every layer zero; they stay where they are. Options: WEIGHTS."""
    return finished(*with_fewer_weights(recipe, bench), recipe, bench)


def with_fewer_channels(recipe: Recipe, bench: Bench) -> tuple[Any, dict[str, Any]]:
    """The pruned and tuned net, and what came of it."""
    plan, parent, picture = course(recipe, CHANNELS), net_of(bench), example(bench)
    net = without_channels(parent, picture, share(plan))
    facts = {"parent": judged(parent, parent, bench), "after_pruning": judged(net, parent, bench)}
    trained = distil(unfolded(net, plain_batch(bench)), parent, bench, plan)
    tuned = folded(trained.net)
    after = {"after_training": judged(tuned, parent, bench), **work_facts(parent, tuned, picture)}
    return tuned, {**facts, **after, **trained.facts}


def with_fewer_weights(recipe: Recipe, bench: Bench) -> tuple[Any, dict[str, Any]]:
    """The net with zeros, tuned around them, and what came of it."""
    plan, parent, picture = course(recipe, WEIGHTS), net_of(bench), example(bench)
    net = without_weights(parent, picture, share(plan))
    facts = {"parent": judged(parent, parent, bench), "after_pruning": judged(net, parent, bench)}
    trained = distil(holding_zeros(unfolded(net, plain_batch(bench))), parent, bench, plan)
    tuned = folded(freed(trained.net))
    after = {"after_training": judged(tuned, parent, bench), "zero_weights_percent": zero_weights_percent(tuned)}
    return tuned, {**facts, **after, **trained.facts}


def share(plan: Course) -> float:
    """The option `ratio`; ConfigError where it would leave all or nothing."""
    ratio = float(plan.made["ratio"])
    if not 0 < ratio < 1:
        raise ConfigError(
            f"ratio = {ratio}", where=f"technique {plan.technique}", remedy="give a share between 0 and 1"
        )
    return ratio


def without_channels(net: Any, picture: Any, ratio: float) -> Any:
    """A copy of `net` without that share of the channels of every layer, those of least weight; outputs stay whole."""
    pruning = library("torch_pruning")
    pruned = copy.deepcopy(net).eval()
    pruner = pruning.pruner.BasePruner(
        pruned, (picture,), importance=pruning.importance.GroupMagnitudeImportance(p=2), pruning_ratio=ratio,
        round_to=ROUND_TO_CHANNELS, ignored_layers=output_layers(pruned, picture),
    )  # fmt: skip
    pruner.step()
    return pruned


def output_layers(net: Any, picture: Any) -> list[Any]:
    """The layers whose channels no other layer takes in: they are the net's outputs."""
    # A bare tensor would be unpacked, and its first picture shown without its batch axis.
    graph = library("torch_pruning").DependencyGraph().build_dependency(net, example_inputs=(picture,))
    return [layer for layer in _layers(net) if not _read_by_another(graph, layer)]


def _read_by_another(graph: Any, layer: Any) -> bool:
    pruning = library("torch_pruning")
    out = pruning.prune_linear_out_channels if hasattr(layer, "out_features") else pruning.prune_conv_out_channels
    takes_in = (
        pruning.prune_conv_in_channels, pruning.prune_linear_in_channels, pruning.prune_depthwise_conv_in_channels,
    )  # fmt: skip
    group = graph.get_pruning_group(layer, out, [0])
    return any(one.handler in takes_in and one.target.module is not layer for one, _ in group)


def without_weights(net: Any, picture: Any, ratio: float) -> Any:
    """A copy of `net` whose smallest weights of each layer are zero; the layers that give the outputs stay whole."""
    prune, copied = library("torch.nn.utils.prune"), copy.deepcopy(net)
    whole = output_layers(copied, picture)
    for layer in [one for one in _layers(copied) if one not in whole]:
        prune.remove(prune.l1_unstructured(layer, "weight", amount=ratio), "weight")
    return copied


def holding_zeros(net: Any) -> Any:
    """`net`, whose weights that are zero stay so however it is trained."""
    for layer in [one for one in _layers(net) if bool((one.weight == 0).any())]:
        library("torch.nn.utils.prune").custom_from_mask(layer, "weight", layer.weight != 0)
    return net


def freed(net: Any) -> Any:
    """`net` with its zeros as plain weights again."""
    for layer in [one for one in _layers(net) if hasattr(one, "weight_mask")]:
        library("torch.nn.utils.prune").remove(layer, "weight")
    return net


def _layers(net: Any) -> list[Any]:
    nn = library("torch").nn
    return [one for one in net.modules() if isinstance(one, (nn.Conv2d, nn.Linear))]


def zero_weights_percent(net: Any) -> float:
    """The share of weights, without biases, that are exactly zero."""
    weights = [one for one in net.parameters() if one.ndim > 1]
    zeros = sum(int((one == 0).sum()) for one in weights)
    return round(100 * zeros / sum(int(one.numel()) for one in weights), 2)
