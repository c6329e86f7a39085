"""Replacing files: links stay, and a failure leaves all of them old."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.files import replace_in_order, write_atomically


def test_links_stay_and_their_targets_get_the_content(tmp_path):
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "target").write_bytes(b"old")
    replace_in_order({tmp_path / "link": b"new", tmp_path / "plain": b"beside"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"new"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "plain", "target"]


def test_where_one_cannot_be_written_all_are_old(tmp_path):
    (tmp_path / "plain").write_bytes(b"old")
    with pytest.raises(OSError, match="File exists"):
        replace_in_order({tmp_path / "link": b"new", tmp_path / "plain" / "below": b"x"})
    assert (tmp_path / "plain").read_bytes() == b"old"
    assert not (tmp_path / "link").exists()


def test_a_folder_in_the_way_is_one_sentence(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(HarnessError, match=r"the report cannot be written: Is a directory.*--json"):
        write_atomically(tmp_path / "folder", "text", option="--json")
