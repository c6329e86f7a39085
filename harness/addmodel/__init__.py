"""`harness add-model FILE`: a folder with the model and a card that runs at once, every guess written down."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.addmodel.card import card_file_name, card_text
from harness.addmodel.guess import CardGuess, guess_card
from harness.case import TensorSpec
from harness.errors import ConfigError, ModelFileError, printable
from harness.modelfile import ModelInfo, check_model_name, derive_model_name, inspect_model

MODELS = Path("suites/models")
CARD = "model.toml"


def add_model(file: Path, into: Path = MODELS, name: str | None = None) -> Path:
    """Copy `file` and the data it refers to into `into`/`name`, with a card; the new folder.

    name: derived from the file's name where it is None. ModelFileError for a file that is not safe;
    ConfigError where the name is not valid or taken, or no card can be guessed. All or nothing.
    """
    file, into = Path(file), Path(into)
    name = derive_model_name(file.name) if name is None else check_model_name(name, where="--name")
    folder = into / name
    _refuse_taken(folder)
    info = inspect_model(file)
    guess = guess_card(info, str(file))
    try:
        _write(folder, file, info, card_text(file, info, guess))
    except OSError as error:
        raise ConfigError(f"the model cannot be copied: {error}", where=str(folder)) from error
    return folder


def _refuse_taken(folder: Path) -> None:
    if os.path.lexists(folder):
        remedy = f"give another --name, or remove {folder} first"
        raise ConfigError(f"there is a model called '{folder.name}' already", where=str(folder), remedy=remedy)


def _write(folder: Path, file: Path, info: ModelInfo, card: str) -> None:
    """Make the folder under a hidden name and rename it when all of it stands."""
    copy = card_file_name(info)
    _refuse_collision(info, file)
    with _scratch(folder) as scratch:
        shutil.copyfile(file, scratch / copy)
        for external in info.external_files:
            (scratch / external.name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.parent / external.name, scratch / external.name, follow_symlinks=False)
        if inspect_model(scratch / copy) != info:
            raise ModelFileError("the model changed while it was copied", where=str(file), remedy="try again")
        (scratch / CARD).write_text(card, encoding="utf-8")


@contextlib.contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as outer:
        scratch = Path(outer) / folder.name
        scratch.mkdir()
        yield scratch
        _refuse_taken(folder)
        scratch.rename(folder)


def _refuse_collision(info: ModelInfo, file: Path) -> None:
    own = {CARD, card_file_name(info)}
    for external in info.external_files:
        if external.name.split("/")[0] in own:
            remedy = "export the model again with another name for its external data"
            raise ConfigError(
                f"the external data is called '{external.name}', as a file of the harness",
                where=str(file),
                remedy=remedy,
            )


def summary(folder: Path) -> str:
    """What `add_model` read and guessed for the model in `folder`, and the next command; for the terminal."""
    card = tomllib.loads((folder / CARD).read_text(encoding="utf-8"))
    (variant,) = card["variants"].values()
    (name,) = variant["files"].values()
    info = inspect_model(folder / name)
    guess = guess_card(info, str(folder / name))
    return "\n".join([f"added {folder.name}: {folder / CARD}", *_read(info), *_guessed(guess), *_next(folder)])


def _read(info: ModelInfo) -> Iterable[str]:
    made = f", made by {printable(info.producer)}" if info.producer else ""
    weights = f", mostly {info.weight_dtype} weights" if info.weight_dtype else ""
    yield f"read    {info.format}, opset {info.opset}, {info.node_count} nodes, {info.size_bytes} bytes{weights}{made}"
    for kind, specs in (("input", info.inputs), ("output", info.outputs)):
        yield from (f"        {kind} {_shown(spec)}" for spec in specs)
    yield from (f"        external data '{one.name}', {one.size_bytes} bytes" for one in info.external_files)
    yield from (f"warning {printable(sentence)}" for sentence in info.warnings)


def _shown(spec: TensorSpec) -> str:
    return f"'{printable(spec.name)}' {spec.dtype} {list(spec.shape)}"


def _guessed(guess: CardGuess) -> Iterable[str]:
    for index, note in enumerate(guess.notes):
        yield f"{'guessed' if index == 0 else '       '} {printable(note)}"


def _next(folder: Path) -> Iterable[str]:
    models = folder.name if folder.parent == MODELS else str(folder)
    yield f"next    check the guesses in {folder / CARD}, then run: pytest suites --models={shlex.quote(str(models))}"
