"""How often a variant that loses exactly the margin is accepted: Tango beside Newcombe, Wald and McNemar."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from scipy import stats

from benchmarks.verdict.tables import share_with_interval
from harness.stats.proportions import judge_noninferiority, mcnemar_p, newcombe_interval

MARGIN, ALPHA, REPEATS = 0.01, 0.05, 20_000
PARENT_RIGHT = 0.95
Counts = tuple[int, int, int]


@lru_cache(None)
def tango(only_parent: int, only_variant: int, frames: int) -> bool:
    """What the program does."""
    return judge_noninferiority(only_parent, only_variant, frames, MARGIN, alpha=ALPHA).decision == "pass"


@lru_cache(None)
def newcombe(only_parent: int, only_variant: int, frames: int) -> bool:
    """Upper limit of Newcombe's method 10 below the margin."""
    both = round(PARENT_RIGHT * frames) - only_parent
    neither = frames - both - only_parent - only_variant
    return newcombe_interval(both, only_parent, only_variant, neither, alpha=ALPHA)[1] < MARGIN


def wald(only_parent: int, only_variant: int, frames: int) -> bool:
    """Upper limit of the textbook interval below the margin."""
    loss = (only_parent - only_variant) / frames
    deviation = np.sqrt(((only_parent + only_variant) / frames - loss**2) / frames)
    return bool(loss + stats.norm.ppf(1 - ALPHA) * deviation < MARGIN)


@lru_cache(None)
def no_difference_shown(only_parent: int, only_variant: int, frames: int) -> bool:
    """McNemar's test finds no difference: often taken for "as good", which it does not show."""
    return mcnemar_p(only_parent, only_variant) > ALPHA


RULES: dict[str, Callable[[int, int, int], bool]] = {
    "Tango": tango, "Newcombe": newcombe, "Wald": wald, "McNemar p > 5 %": no_difference_shown,
}  # fmt: skip


def drawn(chance: np.random.Generator, frames: int, discordance: float, loss: float) -> list[Counts]:
    """Frames that only the parent and only the variant got right, of samples with this true loss."""
    shares = [(discordance + loss) / 2, (discordance - loss) / 2, 1 - discordance]
    return [(int(b), int(c), frames) for b, c, _ in chance.multinomial(frames, shares, REPEATS)]


def main() -> None:
    """Print the table."""
    print(f"\nAccepted although the variant loses exactly {100 * MARGIN:g} point, {REPEATS} samples a row")
    print(f"{'frames':>7}{'differ':>8}" + "".join(f"{name:>26}" for name in RULES))
    for frames in (1000, 2000, 8000):
        for discordance in (0.0101, 0.03, 0.08):
            samples = drawn(np.random.default_rng(frames), frames, discordance, MARGIN)
            accepted = (sum(rule(*one) for one in samples) for rule in RULES.values())
            row = "".join(f"{share_with_interval(one, REPEATS):>26}" for one in accepted)
            print(f"{frames:>7}{100 * discordance:>7.0f}%{row}", flush=True)


if __name__ == "__main__":
    main()
