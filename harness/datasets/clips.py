"""What video and raw files share: frames known by file and number, a label file beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.datasets.files import choice, class_names, fingerprint, locate, sources, whole
from harness.datasets.images import RULE
from harness.datasets.labels import Entry, Key, keep_labelled, read_labels
from harness.errors import DatasetError, unknown


class Clips:
    """The file `root`, or the files under it that end in `suffixes`, and what is said of their frames.

    step: every how many frames one is a sample. labels: the CSV file, beside the clips; "" for none.
    Keys are (file name, frame number in the file); the name is "" where `root` is one file.
    """

    def __init__(
        self, root: Path, suffixes: Sequence[str], *, step: int, labels: str, classes: Sequence[str], unlabelled: str
    ) -> None:
        self._step = whole("step", step, 1, 1 << 30)
        self._classes = class_names(classes)
        self._unlabelled = choice("unlabelled", unlabelled, ("error", "skip"))
        self.files = sources(root, suffixes)
        by_file = root.is_dir()
        self._labels = locate(root if by_file else root.parent, labels, "the label file") if labels else None
        self._entries: Mapping[Key, Entry] | None = None
        if self._labels:
            self._entries = read_labels(self._labels, self._classes, by_file=by_file, by_frame=True)

    def samples(self, counts: Mapping[str, int]) -> list[tuple[Key, Entry]]:
        """Key and entry of each sample, where each file has so many frames; entries are empty without labels."""
        frames = [(name, index) for name, count in counts.items() for index in range(0, count, self._step)]
        if self._entries is None:
            return [(key, Entry()) for key in frames]
        for (name, index), entry in self._entries.items():
            if name not in counts:
                raise DatasetError(unknown("file", name, counts), where=entry.places[0])
            if index >= counts[name]:
                what = f"no frame {index}: {name or 'the file'} has {counts[name]}, counted from 0"
                raise DatasetError(what, where=entry.places[0])
        return keep_labelled(frames, self._entries, self._unlabelled, str(self._labels))

    def fingerprint(self, facts: Mapping[str, Any]) -> str:
        """SHA-256 of the clips, the labels, the shared options and `facts`."""
        shared = {"rule": RULE, "step": self._step, "classes": self._classes, "unlabelled": self._unlabelled}
        labels = {"/labels": self._labels} if self._labels else {}
        return fingerprint({**facts, **shared}, {**self.files, **labels})
