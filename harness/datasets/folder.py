"""Pictures in a folder, with their truths in a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from harness.datasets import Sample
from harness.datasets.files import check_index, choice, class_names, fingerprint, inside, locate, walk, whole
from harness.datasets.images import RULE, SUFFIXES, read_image
from harness.datasets.labels import NO_FRAME, Entry, Key, keep_labelled, labelled, read_labels
from harness.errors import DatasetError

LABELS = "labels.csv"


class Folder:
    """Every picture under `path`, in the order of names; decoded as harness.datasets.images says.

    labels: the CSV file (harness.datasets.labels), looked for in `path`; "" for none. Without the
        default file the pictures have no truths.
    classes: the class names, in the order of their indices.
    unlabelled: "error" or "skip" for pictures that lack a truth.
    bits: significant bits of 16-bit pictures.
    """

    def __init__(
        self, folder: Path, path: str, labels: str = LABELS, classes: Sequence[str] = (),
        unlabelled: str = "error", bits: int = 16,
    ) -> None:  # fmt: skip
        self._root = locate(folder, path, "the data set")
        self._bits = whole("bits", bits, 8, 16)
        self._classes = class_names(classes)
        choice("unlabelled", unlabelled, ("error", "skip"))
        if not self._root.is_dir():
            raise DatasetError("the data set is no folder", where=str(self._root))
        self._labels = _labels_file(self._root, labels)
        self._samples = self._match(unlabelled)

    def _match(self, unlabelled: str) -> list[tuple[Key, Entry]]:
        frames: list[Key] = [(name, NO_FRAME) for name in walk(self._root, SUFFIXES)]
        if not frames:
            raise DatasetError(f"no picture ({', '.join(SUFFIXES)}) in the folder", where=str(self._root))
        if self._labels is None:
            return [(key, Entry()) for key in frames]
        entries = read_labels(self._labels, self._classes, by_file=True, by_frame=False)
        for name, _ in entries.keys() - set(frames):
            where = entries[name, NO_FRAME].places[0]
            inside(self._root, name, where)
            raise DatasetError(f"{name!r} is no picture that is read here", where=where, remedy=", ".join(SUFFIXES))
        return keep_labelled(frames, entries, unlabelled, str(self._labels))

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the pictures, the labels and the options; reads every file once."""
        facts = {"kind": "folder", "rule": RULE, "classes": self._classes, "bits": self._bits}
        files = {name: self._root / name for (name, _), _ in self._samples}
        return fingerprint(facts, files | ({"/labels": self._labels} if self._labels else {}))

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        """Sample `index`; IndexError where there is none, DatasetError where it cannot be read."""
        check_index(index, len(self))
        (name, _), entry = self._samples[index]
        path = inside(self._root, name, entry.places[0] or str(self._root))
        return labelled(entry, read_image(path, self._bits))


def _labels_file(root: Path, labels: str) -> Path | None:
    """The label file; None where none is named, or the default one and no other CSV is there."""
    if not labels:
        return None
    if labels == LABELS and not (root / labels).exists():
        others = sorted(one.name for one in root.glob("*.csv"))
        if others:
            remedy = f'say labels = "{others[0]}", or labels = "" for none'
            raise DatasetError(f"there is no {LABELS}, but {', '.join(others)}", where=str(root), remedy=remedy)
        return None
    return locate(root, labels, "the label file")
