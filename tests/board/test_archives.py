"""Archives of code that were made before: taken again where nothing changed, made anew where anything did."""

from __future__ import annotations

import pytest

from harness.board.archives import kept
from harness.board.travel import code_archive


@pytest.fixture
def sources(tmp_path):
    (tmp_path / "package" / "room").mkdir(parents=True)
    (tmp_path / "package" / "room" / "one.py").write_text("one = 1\n")
    return tmp_path / "package"


@pytest.fixture
def ask(sources, tmp_path):
    """Ask for an archive by its name; `asked.made` counts how often one was made."""

    def asked(name="a", content=b"content"):
        return kept(tmp_path / "kept", name, sources, lambda: asked.made.append(name) or content)

    asked.made = []
    return asked


def test_one_that_was_made_is_taken_again_by_its_name(ask):
    assert [ask(), ask(), ask("b", b"other"), ask("b", b"never"), ask()] == [b"content"] * 2 + [b"other"] * 2 + [
        b"content"
    ]
    assert ask.made == ["a", "b"]


CHANGES = {
    "another text": lambda folder: (folder / "room" / "one.py").write_text("one = 2\n"),
    "another file": lambda folder: (folder / "two.py").write_text(""),
    "a file less": lambda folder: (folder / "room" / "one.py").unlink(),
    "another name": lambda folder: (folder / "room" / "one.py").rename(folder / "room" / "two.py"),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_any_change_of_the_sources_makes_it_anew(ask, sources, change):
    ask()
    change(sources)
    assert ask(content=b"new") == b"new"
    assert ask.made == ["a", "a"]


def test_a_file_that_is_no_source_changes_nothing(ask, sources):
    ask()
    (sources / "room" / "one.pyc").write_text("compiled")
    ask()
    assert ask.made == ["a"]


@pytest.mark.parametrize("damage", [b"", b"x" * 64, b"x" * 100, None], ids=str)
def test_one_that_was_damaged_is_made_anew(ask, tmp_path, damage):
    ask()
    (path,) = (tmp_path / "kept").iterdir()
    path.write_bytes(path.read_bytes()[:-1] if damage is None else damage)
    assert ask() == b"content"
    assert ask.made == ["a", "a"]


def test_a_folder_that_cannot_be_written_costs_time_only(ask, tmp_path):
    (tmp_path / "kept").write_text("no folder")
    assert [ask(), ask()] == [b"content"] * 2
    assert ask.made == ["a", "a"]


def test_an_archive_out_of_the_folder_is_the_one_that_would_be_made(tmp_path):
    made = code_archive("null", ["thermal"], "gaze")
    assert [code_archive("null", ["thermal"], "gaze", folder=tmp_path / one) for one in "aa"] == [made] * 2
    assert len(list((tmp_path / "a").iterdir())) == 1
