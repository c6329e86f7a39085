"""All that a worker needs for a case, made ready and found safe on the host."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.cascade import CascadeJob
from harness.cascadecard import FILE as PIPELINE_FILE
from harness.cascadecard import cascade_job
from harness.case import Case, InputSpec, Job, Plan
from harness.datasets import checked_maker, option_names
from harness.errors import ConfigError, ModelFileError
from harness.model import ModelCard
from harness.modelfile import OPAQUE, ModelInfo, inspect_model, inspect_opaque
from harness.packing import Labelled, Source, camera_pack, prepared_pack
from harness.pipelinecard import PipelineCard, is_pipeline
from harness.profile import DeviceProfile
from harness.runtimes import FORMATS
from harness.tasks import open_task
from harness.telemetry import PowerRule, Telemetry
from harness.verdict import TailTest

Progress = Callable[[Case, str, int, int], None]
DEFAULT_DATASET = {"kind": "cabin", "split": "eval"}
OWN_TABLES = ("calibration", "training")


@dataclass(frozen=True, kw_only=True)
class Setup:
    """All that decides a session. work: where workers leave their files; cache: what outlives it.

    named: the cards were asked for by name. root: a team's repository, whose packages workers may import.
    tail: how percentiles are judged. baselines: folder of the accepted ones. history: where sessions are kept, and
    against: the other build to compare with; both empty for none.
    """

    profile: DeviceProfile
    cards: tuple[ModelCard, ...]
    plan: Plan
    work: Path
    cache: Path
    named: bool = False
    root: Path | None = None
    tail: TailTest = field(default_factory=TailTest)
    baselines: Path | None = None
    history: str = ""
    against: str = ""


def cases_of(setup: Setup) -> dict[Case, ModelCard]:
    """Every case in card, variant, runtime order: the runtimes times the files that the cards list.

    ConfigError where there is none, or none for a card that was asked for by name.
    """
    profile = setup.profile
    cases = {
        Case(profile.name, card.name, variant, runtime): card
        for card in setup.cards
        for variant in card.variants
        for runtime in profile.runtimes
        if file_format(profile, card, variant, runtime) and (setup.named or not _too_far(profile, card))
    }
    wanted = {card.name for card in setup.cards}
    idle = sorted(wanted - {case.model for case in cases})
    if not cases or (setup.named and idle):
        raise ConfigError(
            f"no case to measure: the runtimes {list(profile.runtimes)} of {profile.name} take none of the files "
            f"of {', '.join(idle)}",
            where=f"{profile.file}, runtimes",
            remedy="list a file in a format that a runtime takes, or add a runtime to the device profile",
        )
    return cases


def _too_far(profile: DeviceProfile, card: ModelCard) -> bool:
    """A cascade runs on this machine only, yet; who names one is told so when it is measured."""
    return is_pipeline(card) and profile.remote


def check_card(card: ModelCard) -> None:
    """ConfigError where the card's task or one of its data sets does not take its options; reads no data.

    Of a pipeline, each of its models is checked.
    """
    if is_pipeline(card):
        _check_pipeline(card)
        return
    try:
        for form in {form for variant in card.variants.values() for form in variant.files}:
            open_task(card.task_spec(), card.input_spec(form))
        _check_source(card, source_of(card))
        for table in filter(lambda one: own_dataset(card, one), OWN_TABLES):
            own_source(card, table)
    except ConfigError as error:
        raise error.placed(str(card.folder / "model.toml")) from error


def _check_pipeline(card: PipelineCard) -> None:
    source = source_of(card)
    try:
        checked_maker(source.kind, source.options)
    except ConfigError as error:
        raise error.placed(str(card.folder / PIPELINE_FILE)) from error
    for model in card.models.values():
        check_card(model)


def _check_source(card: ModelCard, source: Source) -> None:
    """Labels by another order of classes would make a perfect model score nothing."""
    checked_maker(source.kind, source.options)
    outputs, labels = card.options.get("classes"), source.options.get("classes")
    if outputs and labels and tuple(outputs) != tuple(labels):
        raise ConfigError(
            f"[options] classes = {list(outputs)} and {source.table} classes = {list(labels)} differ",
            remedy=f"give both in the order of the model's outputs, or leave those of {source.table} out",
        )


def file_format(profile: DeviceProfile, card: ModelCard, variant: str, runtime: str) -> str:
    """The format of the file that a runtime takes of a variant; empty where it takes none.

    Of a pipeline, that of its first stage, where the runtime takes all of them.
    """
    if is_pipeline(card):
        forms = [file_format(profile, card.models[one.name], one.variant, runtime) for one in card.cascade.in_order]
        return forms[0] if all(forms) else ""
    taken = FORMATS[profile.engine(runtime)]
    return next((one for one in taken if one in card.variants[variant].files), "")


@dataclass
class Preparation:
    """Makes Jobs; what is read once (frames, labels, file hashes) is kept. `notes` are for the reader."""

    setup: Setup
    cases: dict[Case, ModelCard]
    progress: Progress
    notes: list[str] = field(default_factory=list)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _known: dict[Path, tuple[tuple[int, int, int], ModelInfo]] = field(default_factory=dict)
    _frames: dict[tuple[str, str | None], Path] = field(default_factory=dict)
    _labelled: dict[tuple[str, str], Labelled] = field(default_factory=dict)

    def job(self, case: Case, *, timed: bool = True, labelled_path: str = "", frames_path: str = "") -> Job:
        """The Job of a case; HarnessError where its file or its frames cannot be used.

        frames_path: a pack of camera frames to use instead of the card's own. Of a pipeline it is a CascadeJob.
        """
        card = self.cases[case]
        if is_pipeline(card):
            job: Job = self._cascade_job(case, card, frames_path)
            return replace(job, timed=timed, labelled_path=labelled_path)
        return self._job(case, card, timed, labelled_path, frames_path)

    def _cascade_job(self, case: Case, card: PipelineCard, frames_path: str) -> CascadeJob:
        """Of all stages on the case's runtime, over whole camera frames of the pipeline's data set."""
        if not frames_path:
            count = self.setup.plan.distinct_frames
            frames_path = str(camera_pack(source_of(card), None, count, self.setup.cache))
        jobs = {
            one.name: self._job(
                replace(case, model=one.model, variant=one.variant), card.models[one.name], True, "", frames_path
            )
            for one in card.cascade.stages
        }
        job = cascade_job(card.cascade, card.models, jobs, Path(frames_path), self._plan())
        # Answers of every frame are for who compares two executions.
        return replace(job, keep_predictions=False)

    def _job(self, case: Case, card: ModelCard, timed: bool, labelled_path: str, frames_path: str) -> Job:
        profile = self.setup.profile
        form = file_format(profile, card, case.variant, case.runtime)
        path = card.file(case.variant, form).resolve()  # external data lie beside the file that a link means
        spec = card.input_spec(form)
        file = self._checked_file(case, path, form)
        return Job(
            case=case, plan=self._plan(), engine=profile.engine(case.runtime),
            options=profile.engine_options(case.runtime), model_path=str(path),
            model_sha256=file.model_sha256, weight_dtype=file.weight_dtype, stateful=card.stateful,
            file_bytes=file.size_bytes + sum(one.size_bytes for one in file.external_files),
            frames_path=frames_path or str(self._camera_frames(card, spec)),
            input=spec, task=card.task_spec(), outputs=card.outputs(form),
            extra_inputs=card.extra_input_list(), timed=timed, labelled_path=labelled_path,
            telemetry=telemetry_of(profile, self.setup.plan),
        )  # fmt: skip

    def labelled(self, case: Case) -> Labelled:
        """The labelled frames of the case's model, cropped and resized for it; DatasetError where they are wrong."""
        card = self.cases[case]
        form = self._format(case)
        if (card.name, form) not in self._labelled:
            truth = str(card.dataset["truth"])
            self._labelled[card.name, form] = prepared_pack(
                source_of(card), truth, card.input_spec(form), self.setup.plan.accuracy_frames, self.setup.cache,
                lambda *said: self.progress(case, *said),
            )  # fmt: skip
        return self._labelled[card.name, form]

    def note(self, sentence: str) -> None:
        """Keep a sentence for the report, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def _format(self, case: Case) -> str:
        return file_format(self.setup.profile, self.cases[case], case.variant, case.runtime)

    def _plan(self) -> Plan:
        """The plan with the device's own deadline, where it has one."""
        plan = self.setup.plan
        return replace(plan, deadline_s=self.setup.profile.deadline_s or plan.deadline_s)

    def _camera_frames(self, card: ModelCard, spec: InputSpec) -> Path:
        key = (card.name, spec.roi)
        if key not in self._frames:
            count = self.setup.plan.distinct_frames
            self._frames[key] = camera_pack(source_of(card), spec.roi, count, self.setup.cache)
        return self._frames[key]

    def _inspected(self, path: Path, form: str) -> ModelInfo:
        """Read anew only where the file system says that the file is another one; a missing file is always read."""
        state = _state(path)
        known = self._known.get(path)
        if state is None or known is None or known[0] != state or known[1].external_files:
            file = _inspect(path, form)
            if state is not None:
                self._known[path] = (state, file)
            return file
        return known[1]

    def _checked_file(self, case: Case, path: Path, form: str) -> ModelInfo:
        """The file, after it was found safe; one that changed during the session is refused."""
        file = self._inspected(path, form)
        if self._hashes.setdefault(path, file.model_sha256) != file.model_sha256:
            raise ModelFileError("the model file changed during the session", where=str(path), remedy="run again")
        for warning in file.warnings:
            self.note(f"{case.model}/{case.variant}: {warning}")
        return file


def telemetry_of(profile: DeviceProfile, plan: Plan) -> Telemetry:
    """What the profile's sensors are asked; energy only by a plan that judges more than that things work."""
    probes = {entry: {"kind": entry, **options} for entry, options in profile.probes.items()}
    power = profile.power
    if power is None or not plan.judges_speed:
        return Telemetry(probes=probes)
    rule = PowerRule(power.rule, power.probe, power.rails, power.scope, power.gain_percent, power.beside)
    return Telemetry(probes=probes, power=rule, window_s=power.window_s, idle_s=power.idle_s)


def source_of(card: ModelCard) -> Source:
    """The card's data set; the synthetic cabin where it names none. Labels count by the model's classes."""
    options = dict(card.dataset or DEFAULT_DATASET)
    kind = str(options.pop("kind", "cabin"))
    options.pop("truth", None)
    if "classes" in card.options and "classes" not in options and "classes" in option_names(kind):
        options["classes"] = card.options["classes"]
    return Source(kind=kind, options=options, folder=card.folder)


def own_dataset(card: ModelCard, table: str) -> Mapping[str, Any]:
    """What [calibration] or [training] says of its data set; empty where it says nothing."""
    found = card.calibration if table == "calibration" else card.training
    return found.dataset if found else {}


def own_source(card: ModelCard, table: str, **of_cabin: Any) -> Source:
    """That data set, laid over [dataset]; another kind replaces it whole. of_cabin: what a cabin takes by default.

    ConfigError, placed in its table, where it does not take its options.
    """
    base, own, place = card.dataset or DEFAULT_DATASET, own_dataset(card, table), f"[{table}] dataset"
    kind = own.get("kind", base.get("kind", "cabin"))
    inherited = base if kind == base.get("kind", "cabin") else {}
    chosen = {**inherited, **(of_cabin if kind == "cabin" else {}), **own, "kind": kind}
    try:
        found = replace(source_of(card.model_copy(update={"dataset": chosen})), table=place)
        _check_source(card, found)
    except ConfigError as error:
        raise ConfigError(error.what, where=place, remedy=error.remedy) from error
    return found


def _inspect(path: Path, form: str) -> ModelInfo:
    if form in OPAQUE:
        return inspect_opaque(path, form)
    if form != "sim":
        return inspect_model(path)
    if not path.is_file():
        raise ModelFileError("there is no such file", where=str(path))
    content = path.read_bytes()
    return ModelInfo(
        format=form, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content), inputs=(), outputs=(),
        opset=None, producer="", node_count=0,
    )  # fmt: skip


def _state(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
