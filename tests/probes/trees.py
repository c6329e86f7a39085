"""Recreated trees of /sys and /proc in their documented layout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def plant(root: Path, files: Mapping[str, object]) -> Path:
    """Write each value to its path below `root`, as the kernel does: with a newline at the end."""
    for path, value in files.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(f"{value}\n", encoding="utf-8")
    return root
