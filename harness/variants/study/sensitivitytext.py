"""The ranking of layers by sensitivity, for a terminal and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.drawing import COLOURS, METADATA, picture, require_matplotlib, write_picture
from harness.errors import HarnessError, printable
from harness.variants.study.effects import Effect
from harness.variants.study.layertext import aligned, shortened
from harness.variants.study.sensitivity import SHARES, LayerSensitivity

HEAD = ("layer", "operator", "loss, points", "90 % interval", "flips", "SQNR dB", "cosine", "")
PLAIN, PROVEN = COLOURS[0], COLOURS[1]
WIDTH_IN, BAR_IN, FRAME_IN = 9.0, 0.22, 1.0


def text_of(ranking: Sequence[LayerSensitivity], file_format: str) -> str:
    """A row for each layer, the worst first, and what "alone" means."""
    table = aligned([HEAD, *(_cells(one) for one in ranking)])
    proven = [one.layer for one in ranking if one.effect and one.effect.proven_points > 0]
    named = f"proven to lose accuracy alone: {', '.join(map(printable, proven))}" if proven else (
        "no layer alone is proven to lose accuracy; they are ranked by the noise in the model's outputs"
    )  # fmt: skip
    measured = sum(one.effect is not None for one in ranking)
    share = f"{measured} of {len(ranking)} layers measured, each alone in INT8: {SHARES[file_format]}"
    return f"{table}\n\n{share}\n{named if measured else 'nothing was measured'}"


def require_figure(path: Path) -> None:
    """HarnessError where no figure can be drawn, or none with the ending of `path`; asked before much is measured."""
    require_matplotlib()
    if path.suffix.lstrip(".").lower() not in METADATA:
        raise HarnessError(f"no figure can be made as {path.suffix or 'a file without a suffix'}", where=str(path),
                           remedy=f"choose one of: {', '.join(f'.{one}' for one in METADATA)}")  # fmt: skip


def plot(ranking: Sequence[LayerSensitivity], title: str, path: Path) -> Path:
    """Draw the measured layers into `path`, .svg or .png, the same bytes each time.

    HarnessError without matplotlib, without a measured layer, or where the file cannot be written.
    """
    require_figure(path)
    shown = [(one.layer, one.effect) for one in ranking if one.effect is not None]
    if not shown:
        raise HarnessError("there is nothing to draw: no layer was measured", where=str(path))
    (content,) = picture(lambda figure_class: _drawn(figure_class, shown, title), path.suffix.lstrip(".").lower())
    return write_picture(path, content)


def _drawn(figure_class: Any, shown: Sequence[tuple[str, Effect]], title: str) -> Any:
    figure = figure_class(figsize=(WIDTH_IN, BAR_IN * len(shown) + FRAME_IN), layout="constrained")
    losses, ratios = figure.subplots(1, 2, sharey=True)
    places = range(len(shown))
    colours = [PROVEN if effect.proven_points > 0 else PLAIN for _, effect in shown]
    losses.barh(places, [effect.loss_points for _, effect in shown], color=colours)
    for place, (_, effect) in zip(places, shown):
        if effect.low_points is not None and effect.high_points is not None:
            losses.plot([effect.low_points, effect.high_points], [place, place], color="black", linewidth=0.8)
    losses.set_yticks(places, [shortened(name) for name, _ in shown])
    losses.invert_yaxis()
    losses.set_xlabel("loss of accuracy (points), with its 90 % interval")
    told = [(place, effect.sqnr_db) for place, (_, effect) in zip(places, shown) if effect.sqnr_db is not None]
    ratios.barh([place for place, _ in told], [value for _, value in told], color=[colours[place] for place, _ in told])
    ratios.set_xlabel("SQNR of the outputs (dB): the shorter, the worse")
    figure.suptitle(printable(title), x=0.01, ha="left", fontsize=10, fontweight="bold")
    return figure


def _cells(one: LayerSensitivity) -> tuple[str, ...]:
    base = shortened(one.layer), one.operator
    if one.effect is None:
        return *base, "-", "-", "-", "-", "-", f"not measured: {one.why}"
    effect = one.effect
    interval = f"[{_number(effect.low_points)}, {_number(effect.high_points)}]"
    return (
        *base, f"{effect.loss_points:.2f}", interval, "-" if effect.flips is None else str(effect.flips),
        _number(effect.sqnr_db, 1), _number(effect.cosine, 5), "proven" if effect.proven_points > 0 else "",
    )  # fmt: skip


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
