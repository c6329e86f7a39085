"""Distillation of a smaller net: the card's student, from weights by chance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.variants import Bench, Made, Recipe
from harness.variants.libraries import library
from harness.variants.training.courses import course
from harness.variants.training.finishing import finished, judged, work_facts
from harness.variants.training.loop import distil
from harness.variants.training.nets import built, example, folded, net_of

STUDENT: Mapping[str, Any] = {"steps": 3000, "learning_rate": 3e-3, "batch": 32}


def distilled(recipe: Recipe, bench: Bench) -> Made:
    """The card's [training] student after learning from the parent. Options: STUDENT."""
    return finished(*taught(recipe, bench), recipe, bench)


def taught(recipe: Recipe, bench: Bench) -> tuple[Any, dict[str, Any]]:
    """The student without its batch normalisations, and what came of it."""
    torch, parent = library("torch"), net_of(bench)
    name = bench.card.training.student if bench.card.training else ""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        student = built(bench, "student")
    trained = distil(student, parent, bench, course(recipe, STUDENT, student=name))
    net = folded(trained.net)
    facts = {
        "parent": judged(parent, parent, bench), "after_training": judged(net, parent, bench),
        **work_facts(parent, net, example(bench)), **trained.facts,
    }  # fmt: skip
    return net, facts
