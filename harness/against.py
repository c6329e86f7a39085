"""The other build of `--against`: a file, a directory or a git revision, made ready like the candidate."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.case import Case, Job
from harness.dispatch import Note, run_pair, unsaid
from harness.errors import ConfigError, HarnessError
from harness.model import ModelCard, read_card
from harness.paired import PairedJob, PairedRun
from harness.pairing import ROUNDS, decided, judge_pair
from harness.prepare import Preparation, Progress, Setup, file_format
from harness.rules import Outcome
from harness.verdict import Verdict, given

NAME = "reference"
CARD = "model.toml"


@dataclass
class Reference:
    """The other build of every case. text: what was asked for. folder: where revisions and results are laid out.

    rounds: what was measured of each case, for the history.
    """

    setup: Setup
    text: str
    folder: Path
    progress: Progress
    note: Note = unsaid
    rounds: dict[Case, list[PairedRun]] = field(default_factory=dict)
    _revisions: dict[Path, Path] = field(default_factory=dict)

    def verdicts(self, case: Case, candidate: Job) -> list[Verdict]:
        """Both builds in turn, in fresh processes of 12, 8, 10, 15 and 15 rounds, until it is decided.

        Nothing where a single file is no build of this case; NO_BASELINE where a folder or revision lacks it.
        """
        reference = self._job(case, candidate)
        if reference is None and _is_file(Path(self.text)):
            return []
        if reference is None:
            sentence = f"{self.text} has no {case.model}/{case.variant} for {case.runtime}"
            return [given(case, NAME, Outcome.NO_BASELINE, sentence)]
        return self._until_decided(case, reference, candidate)

    def _until_decided(self, case: Case, reference: Job, candidate: Job) -> list[Verdict]:
        runs = self.rounds[case] = []
        found: list[Verdict] = []
        for rounds in ROUNDS:
            job = PairedJob(reference=reference, candidate=candidate, rounds=rounds, seed=len(runs))
            runs.append(self._run(case, job, len(runs) + 1))
            found = judge_pair(case, runs, self._label(reference, candidate), self.setup.profile.conditions)
            if decided(found):
                break
        return found

    def _run(self, case: Case, job: PairedJob, number: int) -> PairedRun:
        def progress(phase: str, done: int, total: int) -> None:
            self.progress(case, f"beside {self.text}, {phase}", done, total)

        folder = self.folder / case.model / f"{case.variant}.{case.runtime}" / f"pair-{number}"
        return run_pair(job, self.setup.profile, folder, progress, self.setup.root, self.note)

    def _label(self, reference: Job, candidate: Job) -> str:
        same = reference.model_sha256 == candidate.model_sha256
        return f"{self.text} ({'the very same file' if same else reference.model_sha256[:12]})"

    def _job(self, case: Case, candidate: Job) -> Job | None:
        """The other build's Job, on the candidate's frames; None where there is no such build."""
        own = next(one for one in self.setup.cards if one.name == case.model)
        card = self._card(case, own)
        if card is None or case.variant not in card.variants:
            return None
        if not file_format(self.setup.profile, card, case.variant, case.runtime):
            return None
        preparation = Preparation(replace(self.setup, cards=(card,)), {case: card}, self.progress)
        return preparation.job(case, frames_path=candidate.frames_path)

    def _card(self, case: Case, own: ModelCard) -> ModelCard | None:
        path = Path(self.text)
        if _is_file(path):
            return _with_file(own, case.variant, path.absolute())
        root = path.absolute() if _is_folder(path) else self._revision(own.folder.parent)
        folder = root if (root / CARD).is_file() else root / case.model
        return read_card(folder) if (folder / CARD).is_file() else None

    def _revision(self, models: Path) -> Path:
        """The folder of the model cards as it was at the git revision."""
        if models not in self._revisions:
            target = self.folder / f"reference-{len(self._revisions)}"
            self._revisions[models] = check_out(self.text, models, target)
        return self._revisions[models]


def check_reference(text: str, cards: Sequence[ModelCard]) -> None:
    """ConfigError before anything is measured, where `text` cannot name another build of these models."""
    path = Path(text)
    if _is_file(path):
        if len(cards) != 1:
            raise ConfigError(
                f"{text} is one file and {len(cards)} models are asked for", where="--against",
                remedy="name the model with --models, or give a folder with model cards",
            )  # fmt: skip
        _variant_for(cards[0], path)
    elif not _is_folder(path):
        for card in cards:
            _commit(text, card.folder.parent)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, or a folder that nobody may enter
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _with_file(card: ModelCard, variant: str, path: Path) -> ModelCard | None:
    """The card with another file in the place of one of the variant's; None where it stands for another variant."""
    if _variant_for(card, path) != variant:
        return None
    files = {path.suffix.lstrip("."): str(path)}
    changed = card.variants[variant].model_copy(update={"files": files})
    return card.model_copy(update={"variants": {**card.variants, variant: changed}})


def _variant_for(card: ModelCard, path: Path) -> str:
    """The variant that a file stands for: the one with a file of this name, or the only one of its format."""
    same = [
        name for name, one in card.variants.items() if any(Path(file).name == path.name for file in one.files.values())
    ]
    form = path.suffix.lstrip(".")
    alike = same or [name for name, one in card.variants.items() if form in one.files]
    if len(alike) != 1:
        raise ConfigError(
            f"{path.name} could stand for any of {alike}" if alike else f"no variant of {card.name} has a .{form} file",
            where="--against", remedy="give the file the name that the card knows, or a folder with a card",
        )  # fmt: skip
    return alike[0]


def check_out(revision: str, models: Path, target: Path) -> Path:
    """The folder `models` of its git repository as it was at `revision`, below `target`.

    ConfigError where `revision` is neither a path nor known to git, or has no such folder.
    """
    commit = _commit(revision, models)
    archive = _git(models, "archive", "--format=tar", commit, ".")
    if not archive:
        raise ConfigError(f"{models} is not part of {revision!r}", where="--against")
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            _extract(tar, target)
    except (OSError, tarfile.TarError) as error:
        raise HarnessError(f"the reference cannot be laid out: {error}", where=str(target)) from error
    return target


def _extract(tar: tarfile.TarFile, target: Path) -> None:
    """Nothing outside `target`. Python before 3.11.4 (Debian 12 has 3.11.2) knows no filter: files and folders only."""
    if hasattr(tarfile, "data_filter"):
        tar.extractall(target, filter="data")
        return
    inside = [one for one in tar if (one.isfile() or one.isdir()) and _below(target / one.name, target)]
    tar.extractall(target, inside)


def _below(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _commit(revision: str, models: Path) -> str:
    wanted = f"{revision}^{{commit}}"
    commit = _git(models, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted).decode().strip()
    if not commit:
        raise ConfigError(
            f"{revision!r} is neither a file, nor a directory, nor a revision that git knows here",
            where="--against", remedy="give a model file, a folder with model cards, or for example HEAD~1",
        )  # fmt: skip
    return commit


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError:
        return b""
    return done.stdout if done.returncode == 0 else b""
