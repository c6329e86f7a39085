"""What a machine may lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def absent(words: str) -> NoReturn:
    """The test counts for nothing without it: skipped on a desk, failed where CI judges a change."""
    (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(words)
