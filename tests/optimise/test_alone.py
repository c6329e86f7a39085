"""One run at a time in a folder."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.optimise.alone import alone


def test_a_second_run_is_told_and_the_next_one_may(tmp_path):
    with alone(tmp_path), pytest.raises(HarnessError, match="another run is at work on this model"), alone(tmp_path):
        pass
    with alone(tmp_path):
        pass


def test_an_error_within_is_its_own(tmp_path):
    with pytest.raises(OSError, match="mine"), alone(tmp_path):
        raise OSError("mine")


def test_a_folder_that_is_a_file_is_told_with_a_remedy(tmp_path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(HarnessError, match="--out"), alone(tmp_path / "out" / "eyes"):
        pass
