"""Everything about one variant on one device: a table of each part for each runtime entry."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from harness import __version__
from harness.memory.batches import FIGURES as BATCH_FIGURES
from harness.memory.batches import batch_rows
from harness.memory.cascade import SESSIONS, figures_of, sharing_rows
from harness.memory.measuring import FIGURES, Say, Wanted, settings_rows
from harness.memory.report import Found, Section
from harness.memory.settings import settings_for
from harness.model import ModelCard
from harness.probes.machine import machine_facts


def find_out(wanted: Wanted, parts: Sequence[str], beside: Sequence[ModelCard], say: Say) -> Found:
    """Measure the named parts. beside: the other models of a cascade; none for the same one several times."""
    made = [PARTS[part](wanted, runtime, beside, say) for runtime in wanted.runtimes for part in parts]
    profile = wanted.profile
    return Found(
        device=profile.name, model=wanted.card.name, variant=wanted.variant, machine=_machine(wanted),
        at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), harness=__version__, plan=wanted.plan.name,
        rounds=wanted.rounds, simulated=profile.simulated, sections=tuple(one for one in made if one.rows),
        sentences=tuple(f"{one.title}: nothing is known of this engine" for one in made if not one.rows),
    )  # fmt: skip


def _settings(wanted: Wanted, runtime: str, beside: Sequence[ModelCard], say: Say) -> Section:
    del beside
    settings = settings_for(wanted.profile.engine(runtime), wanted.profile.runtimes[runtime])
    rows = settings_rows(wanted, runtime, settings, say) if settings else []
    return Section(title=f"{runtime}: settings", figures=FIGURES, rows=tuple(rows))


def _sharing(wanted: Wanted, runtime: str, beside: Sequence[ModelCard], say: Say) -> Section:
    others = [one.file(wanted.variant, wanted.format(runtime)).resolve() for one in beside]
    rows = sharing_rows(wanted, runtime, others, say)
    figures = figures_of(1 + len(others) if others else SESSIONS)
    return Section(title=f"{runtime}: sessions in one process", figures=figures, rows=tuple(rows))


def _batches(wanted: Wanted, runtime: str, beside: Sequence[ModelCard], say: Say) -> Section:
    del beside
    rows = batch_rows(wanted, runtime, say)
    title = f"{runtime}: frames in one inference"
    return Section(title=title, figures=BATCH_FIGURES, rows=tuple(rows), beside=("batch_p50_ms",))


PARTS: Mapping[str, Callable[[Wanted, str, Sequence[ModelCard], Say], Section]] = {
    "settings": _settings, "sharing": _sharing, "batches": _batches,
}  # fmt: skip


def _machine(wanted: Wanted) -> str:
    """The processor and its cores; a simulated device has none."""
    facts = {} if wanted.profile.simulated else machine_facts()
    cores = f", {facts['cores']} cores" if "cores" in facts else ""
    return f"{facts.get('cpu') or facts.get('board') or wanted.profile.name}{cores}"
