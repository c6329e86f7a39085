"""What a model's folder shows: exported, simplified, calibrated, confidence calibrated. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.prepare import file_format
from harness.profile import DeviceProfile
from harness.trendreport.cells import number
from harness.trendreport.deployment.folder import File, Folder, Told
from harness.trendreport.model import Evidence, Item, ItemState

HASH_DIGITS, LONGEST, LARGEST = 12, 600, 1e9
SIMPLIFIED, DYNAMIC = "simplified", "dynamic"
FITTED = ("static", "mixed", "qat")
# What recipes call it: how many calibration frames there were, and how many evaluation frames hold none of them.
FRAMES, DISJOINT, TEMPERATURE = "calibration_frames", "disjoint_from_evaluation_frames", "temperature"


def made_items(folder: Folder, profile: DeviceProfile | None, device: str) -> Iterator[Item]:
    """The items for one device; profile: None where nobody knows its engines."""
    yield Item(name="exported", evidence=exported(folder, profile, device))
    yield Item(name="simplified", evidence=simplified(folder, profile))
    yield Item(name="calibrated", evidence=tuple(_calibrated(folder, one) for one in folder.card.variants))
    found = tuple(_confidence(folder, variant) for variant in folder.recipes)
    if told := tuple(one for one in found if one is not None):
        yield Item(name="confidence calibrated", evidence=told)


def exported(folder: Folder, profile: DeviceProfile | None, device: str) -> tuple[Evidence, ...]:
    """Per variant the files that an engine of the device takes."""
    if profile is None:
        whose = f"no profile of {device} says" if device else "no device measured it, so nobody says"
        return tuple(_evidence(folder, one, "unknown", f"{whose} which file an engine takes; {_listed(files)}")
                     for one, files in folder.files.items())  # fmt: skip
    taken = {variant: _takers(folder, profile, variant) for variant in folder.files}
    idle: ItemState = "not needed" if any(taken.values()) else "not done"
    return tuple(_export(folder, variant, takers, idle, device) for variant, takers in taken.items())


def _takers(folder: Folder, profile: DeviceProfile, variant: str) -> dict[str, list[str]]:
    """Format -> the runtimes that take it."""
    found: dict[str, list[str]] = {}
    for runtime in profile.runtimes:
        if form := file_format(profile, folder.card, variant, runtime):
            found.setdefault(form, []).append(runtime)
    return found


def _export(folder: Folder, variant: str, takers: Mapping[str, list[str]], idle: ItemState, device: str) -> Evidence:
    files = [one for one in folder.files[variant] if one.form in takers]
    if not files:
        return _evidence(folder, variant, idle, f"no engine of {device} takes a file of it")
    state: ItemState = "failed" if any(one.fault for one in files) else "done"
    said = "; ".join(f"{_named(one)} for {', '.join(takers[one.form])}" for one in files)
    made = folder.card.variants[variant].made
    return _evidence(folder, variant, state, f"{said}. Made by: {made}" if made else f"{said}. Nobody says how")


def _named(file: File) -> str:
    return f"{file.name} ({file.fault or file.sha256[:HASH_DIGITS]})"


def _listed(files: tuple[File, ...]) -> str:
    return f"there are {', '.join(map(_named, files))}"


def simplified(folder: Folder, profile: DeviceProfile | None) -> tuple[Evidence, ...]:
    """The variants whose recipes tell of it; where none does, that nothing tells."""
    if profile and not any("onnx" in _takers(folder, profile, variant) for variant in folder.files):
        said = f"only ONNX files are simplified, and no engine of {profile.name} takes one"
        return (Evidence(what="", state="not needed", sentence=said),)
    found = tuple(_simple(folder, variant, told) for variant, told in folder.recipes.items())
    told = tuple(one for one in found if one is not None)
    nothing = Evidence(what="", state="unknown", sentence="no recipe beside the files tells of it", where=folder.shown)
    return tuple(one for one in told if one.state == "done") or told or (nothing,)


def _simple(folder: Folder, variant: str, told: Told) -> Evidence | None:
    """None where the recipe says nothing of it."""
    if told.fault:
        return _evidence(folder, variant, "unknown", told.fault, told)
    both = [(_count(one.get("nodes_before")), _count(one.get("nodes_after"))) for _, one in told.tables()]
    counts = [pair for pair in both if all(pair)]
    if not counts and SIMPLIFIED not in told.techniques:
        return None
    said = "; ".join(f"{before} nodes became {after}" for before, after in counts)
    return _evidence(folder, variant, "done", said or "made from the simplified file", told)


def _calibrated(folder: Folder, variant: str) -> Evidence:
    """Whether the ranges of a variant with integers are known to be fitted on frames that are not evaluated on."""
    told, dtypes = folder.recipes.get(variant), {one.dtype for one in folder.files[variant] if one.dtype}
    technique = told.techniques[0] if told and told.techniques else ""
    if technique == DYNAMIC:
        return _evidence(folder, variant, "not needed", "weights alone are quantised: no range is fitted", told)
    if technique not in FITTED and not any("int" in one for one in dtypes):
        types = ", ".join(sorted(dtypes))
        said = f"its weights are {types}" if types else "nothing tells of which type its weights are"
        return _evidence(folder, variant, "not needed" if types else "unknown", said)
    if told is None:
        made = folder.card.variants[variant].made
        said = f"no {variant}.recipe.json beside its files{f'; the card says: {made}' if made else ''}"
        return _evidence(folder, variant, "unknown", said)
    return _fitted(folder, variant, told)


def _fitted(folder: Folder, variant: str, told: Told) -> Evidence:
    fits = [_fit(place, one) for place, one in told.tables() if _count(one.get(FRAMES))]
    against = next((count for _, one in told.tables() if (count := _count(one.get(DISJOINT)))), 0)
    if told.fault or not fits:
        return _evidence(folder, variant, "unknown", told.fault or "its recipe tells no calibration frames", told)
    if not against:
        said = f"{'; '.join(fits)}; nobody says whether frames of the evaluation set are among them"
        return _evidence(folder, variant, "unknown", said, told)
    said = f"{'; '.join(fits)}; none of them is among the {against} evaluation frames"
    return _evidence(folder, variant, "done", said, told)


def _fit(place: str, table: Mapping[str, Any]) -> str:
    """The method, the frames and their key."""
    method, key = table.get("method"), table.get("calibration_key")
    share = f" {table['percentile']}" if "percentile" in table else ""
    words = (f"{method}{share} ranges" if method else "", f"{table[FRAMES]} frames", _key(key))
    return f"{f'{place}: ' if place else ''}{', '.join(filter(None, words))}"


def _key(key: object) -> str:
    return f"key {str(key)[:HASH_DIGITS]}" if key else ""


def _count(value: object) -> int:
    """How many there are; 0 for what is no such number."""
    return value if type(value) is int and value > 0 else 0


def _confidence(folder: Folder, variant: str) -> Evidence | None:
    """None where the recipe tells no temperature."""
    told = folder.recipes[variant]
    fits = [(value, one) for _, one in told.tables() if (value := _amount(one.get(TEMPERATURE)))]
    said = [f"temperature {number(value)}{_errors(one)}" for value, one in fits]
    return _evidence(folder, variant, "done", "; ".join(said), told) if said else None


def _errors(table: Mapping[str, Any]) -> str:
    """The calibration error before and after, where both are told."""
    sides = (one for name in ("before", "after") if isinstance(one := table.get(name), Mapping))
    known = [value for one in sides if (value := _amount(one.get("error_percent"))) is not None]
    return f", calibration error {number(known[0])} % before, {number(known[1])} % after" if len(known) == 2 else ""


def _amount(value: object) -> float | None:
    """A number that is not negative, of a size that can be true; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value <= LARGEST else None


def _evidence(folder: Folder, variant: str, state: ItemState, sentence: str, told: Told | None = None) -> Evidence:
    """where: the recipe that tells it, else the folder."""
    short = sentence if len(sentence) <= LONGEST else f"{sentence[:LONGEST]}..."
    return Evidence(
        what=variant, state=state, sentence=short, where=f"{folder.shown}/{told.name}" if told else folder.shown
    )
