"""Training: one seeded run per net, resumable after every epoch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.zoo.data import TRAIN, Examples, Split, examples
from harness.zoo.nets import NETS, STRIDES
from harness.zoo.recipes import Recipe

BATCH = 64
MOST_GRADIENT = 5.0
REPORT_STEPS = 50
WEIGHT_DECAY = 0.02
NEAR_STRIDES = 1.0
FINE_BELOW_STRIDES = 4.5

Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


def train(
    recipe: Recipe,
    *,
    seed: int,
    cache: Path,
    split: Split = TRAIN,
    threads: int = 1,
    say: Callable[[str], None] = print,
) -> nn.Module:
    """The trained net; continues where an interrupted training of the same seed stopped.

    One thread each for two nets at once is faster than two threads for one: threads wait for each other.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    net = NETS[recipe.name]().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    data = examples(recipe, split, cache)
    steps = recipe.epochs * (len(data.pictures) // BATCH)
    optimiser = torch.optim.AdamW(net.parameters(), lr=recipe.learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, recipe.learning_rate, total_steps=steps, pct_start=0.2)
    parts = {"net": net, "optimiser": optimiser, "schedule": schedule}
    path = cache / f"{recipe.name}-seed{seed}.pt"
    for epoch in range(_resume(path, parts), recipe.epochs):
        run = Epoch(recipe=recipe, data=data, number=epoch, rng=np.random.default_rng([seed, epoch]), say=say)
        _epoch(run, net, optimiser, schedule)
        torch.save({"epoch": epoch + 1, **{key: part.state_dict() for key, part in parts.items()}}, path)
    return net.eval()


def _resume(path: Path, parts: Mapping[str, Any]) -> int:
    """Load the state of an interrupted training; the epoch to go on with."""
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for key, part in parts.items():
        part.load_state_dict(state[key])
    return int(state["epoch"])


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """One pass over the examples."""

    recipe: Recipe
    data: Examples
    number: int
    rng: np.random.Generator
    say: Callable[[str], None]


def _epoch(
    run: Epoch, net: nn.Module, optimiser: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
) -> None:
    net.train()
    loss_of = LOSSES[run.recipe.task]
    began, total = time.monotonic(), len(run.data.pictures) // BATCH
    running = 0.0
    for step, (pictures, targets) in enumerate(_batches(run.recipe, run.data, run.rng), 1):
        loss = loss_of(net, pictures, targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), MOST_GRADIENT)
        optimiser.step()
        schedule.step()
        running += 0.02 * (loss.item() - running) if step > 1 else loss.item()
        if step % REPORT_STEPS == 0 or step == total:
            left_s = (time.monotonic() - began) / step * (total * (run.recipe.epochs - run.number) - step)
            run.say(_progress(run, step, total, running, left_s))


def _progress(run: Epoch, step: int, total: int, loss: float, left_s: float) -> str:
    done = f"epoch {run.number + 1}/{run.recipe.epochs} step {step}/{total}"
    return f"{run.recipe.name}: {done} loss {loss:.4f}, {left_s / 60:.1f} min left"


def _batches(recipe: Recipe, data: Examples, rng: np.random.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    order = rng.permutation(len(data.pictures))
    for start in range(0, len(order) - BATCH + 1, BATCH):
        rows = np.sort(order[start : start + BATCH])
        pictures, targets = torch.from_numpy(data.pictures[rows]), torch.from_numpy(data.targets[rows])
        noise = torch.Generator().manual_seed(int(rng.integers(2**31)))
        yield augmented(recipe, pictures, targets, noise)


def augmented(recipe: Recipe, pictures: Tensor, targets: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures as float [n, 1, height, width] in 0..1, with other exposure, noise and, where allowed, mirrored."""
    count = len(pictures)
    gain = torch.exp(torch.empty(count, 1, 1).uniform_(-0.35, 0.35, generator=noise)) / 255.0
    offset = torch.empty(count, 1, 1).uniform_(-0.05, 0.05, generator=noise)
    light = pictures * gain + offset
    light += torch.randn(light.shape, generator=noise) * torch.empty(count, 1, 1).uniform_(0, 0.02, generator=noise)
    if recipe.mirrored:
        flipped = torch.rand(count, generator=noise) < 0.5
        light = torch.where(flipped[:, None, None], light.flip(2), light)
        if recipe.task == "gaze":
            targets = torch.where(flipped[:, None], targets * torch.tensor([-1.0, 1.0]), targets)
    return light.clamp(0, 1)[:, None].contiguous(memory_format=torch.channels_last), targets


def _run(net: nn.Module, pictures: Tensor) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        output: Tensor = net(pictures)
    return output


def classification_loss(net: nn.Module, pictures: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy, softened a little: some labels are ambiguous by nature."""
    return functional.cross_entropy(_run(net, pictures).float(), targets[:, 0].long(), label_smoothing=0.02)


def gaze_loss(net: nn.Module, pictures: Tensor, targets: Tensor) -> Tensor:
    """Robust distance in degrees."""
    return functional.smooth_l1_loss(_run(net, pictures).float(), targets, beta=3.0)


def detection_loss(net: nn.Module, pictures: Tensor, targets: Tensor) -> Tensor:
    """Focal loss of the scores and generalised IoU of the boxes at the cells near a box's centre (after FCOS)."""
    with torch.autocast("cpu", torch.bfloat16):
        boxes, scores = net(pictures)
    height, width = pictures.shape[2:]
    wanted, is_object = assign(targets, height, width)
    logits = scores[:, :, 0].float()
    focal = _focal(logits, is_object)
    if not is_object.any():
        return focal.sum() / len(pictures)
    overlap = generalised_iou(boxes.float()[is_object], wanted[is_object])
    return focal.sum() / is_object.sum() + (1.0 - overlap).mean()


def _focal(logits: Tensor, is_object: Tensor) -> Tensor:
    truth = is_object.float()
    cross = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    missed = (torch.sigmoid(logits) - truth).abs()
    return (0.35 * truth + 0.65 * (1 - truth)) * missed**2 * cross


def cells(height: int, width: int) -> Tensor:
    """Centre x, y and stride of every cell [cells, 3], in the order of the net's outputs."""
    rows = []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height // stride), torch.arange(width // stride), indexing="ij")
        centres = torch.stack([x, y], 2).reshape(-1, 2).add(0.5).mul(stride)
        rows.append(torch.cat([centres, torch.full((len(centres), 1), float(stride))], 1))
    return torch.cat(rows)


def assign(targets: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Per cell the distances to its box's sides [n, cells, 4] in strides, and whether it has a box [n, cells].

    A box belongs to the level that its longer side suits, and to the cells near its centre.
    """
    grid = cells(height, width)
    boxes = targets[:, None]
    x, y, stride = grid[:, 0, None], grid[:, 1, None], grid[:, 2, None]
    sides = torch.stack([x - boxes[..., 0], y - boxes[..., 1], boxes[..., 2] - x, boxes[..., 3] - y], 3)
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    away = torch.maximum((middle[..., 0] - x).abs(), (middle[..., 1] - y).abs())
    longer = torch.maximum(boxes[..., 2] - boxes[..., 0], boxes[..., 3] - boxes[..., 1])
    fine = longer < FINE_BELOW_STRIDES * STRIDES[0]
    fits = (away < NEAR_STRIDES * stride) & (sides.amin(3) > 0) & (fine == (stride == STRIDES[0]))
    distance = torch.where(fits, away / stride, torch.inf)
    best = distance.argmin(2)
    chosen = sides.gather(2, best[:, :, None, None].expand(-1, -1, 1, 4))[:, :, 0]
    return chosen.nan_to_num() / stride, fits.any(2)


def generalised_iou(first: Tensor, second: Tensor) -> Tensor:
    """Generalised IoU of boxes given as distances from one common point (Rezatofighi et al., 2019)."""
    inner = torch.minimum(first[:, :2], second[:, :2]) + torch.minimum(first[:, 2:], second[:, 2:])
    outer = torch.maximum(first[:, :2], second[:, :2]) + torch.maximum(first[:, 2:], second[:, 2:])
    both = inner.prod(1)
    union = (first[:, :2] + first[:, 2:]).prod(1) + (second[:, :2] + second[:, 2:]).prod(1) - both
    hull = outer.prod(1).clamp(min=1e-6)
    return both / union.clamp(min=1e-6) - (hull - union) / hull


LOSSES: dict[str, Loss] = {
    "classification": classification_loss,
    "counting": detection_loss,
    "detection": detection_loss,
    "gaze": gaze_loss,
}
