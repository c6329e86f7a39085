"""What the tests of tasks share: an image input, and a task opened as the worker opens it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.case import InputSpec, TaskSpec
from harness.tasks import Geometry, Task, open_task


@pytest.fixture
def unit() -> Geometry:
    """A geometry that leaves pixels where they are."""
    return Geometry(1.0, 1.0, 0.0, 0.0)


@pytest.fixture
def opened() -> Callable[..., Task]:
    """open_task by name and options, for an input of 64 x 32 pixels unless told otherwise."""

    def open_by_name(name: str, width: int = 64, height: int = 32, **options: Any) -> Task:
        return open_task(TaskSpec(name, options), InputSpec(width, height))

    return open_by_name
