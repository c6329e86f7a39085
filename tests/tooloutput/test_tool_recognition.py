"""One way in for all tools: recognised by what only they print, and nothing but ToolOutputError for what is wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import tool_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.tooloutput import MARKS, TOOLS, ToolOutput, ToolOutputError, read_output, recognise


def test_every_tool_has_a_mark() -> None:
    assert list(MARKS) == list(TOOLS)


def test_every_tool_has_an_invented_text() -> None:
    assert {tool for tool, _ in tool_texts.TEXTS} == set(TOOLS)


@pytest.mark.parametrize(("tool", "text"), tool_texts.TEXTS)
def test_a_text_is_recognised_and_read(tool: str, text: str) -> None:
    assert recognise(text) == tool
    assert read_output(text) == read_output(text, tool)
    assert read_output(text).tool == tool


@pytest.mark.parametrize(("tool", "text"), tool_texts.TEXTS)
def test_windows_line_ends_and_colours_change_nothing(tool: str, text: str) -> None:
    if tool != "trtexec":
        coloured = "".join(f"\x1b[32m{line}\x1b[0m\r\n" for line in text.split("\n"))
        assert read_output(coloured).numbers == read_output(text).numbers


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "no tool that is known prints this"),
        ("hello world", "no tool that is known prints this"),
        (tool_texts.TIDL_BLOCK + tool_texts.PERF_TEST_OLD, "lines of onnxruntime_perf_test and tidl"),
    ],
)
def test_what_is_not_one_tools_is_refused_with_the_names_of_all(text: str, what: str) -> None:
    with pytest.raises(ToolOutputError, match=what) as caught:
        read_output(text)
    assert all(name in caught.value.remedy for name in TOOLS)


def test_an_unknown_tool_is_refused_with_the_nearest() -> None:
    with pytest.raises(ToolOutputError, match="did you mean 'trtexec'"):
        read_output(tool_texts.TRTEXEC_LOG, "trtexe")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_file_is_read_in_the_encodings_that_consoles_write(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "out.txt"
    path.write_bytes(tool_texts.TIDL_BLOCK.encode(encoding))
    assert read_output(path) == read_output(tool_texts.TIDL_BLOCK)


def test_a_missing_file_is_an_error_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ToolOutputError, match="the file cannot be read: No such file") as caught:
        read_output(tmp_path / "none.txt")
    assert "none.txt" in caught.value.where


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(bytes(range(256)) * 100)
    with pytest.raises(ToolOutputError):
        read_output(path)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(ToolOutputError, match="larger than 64 MiB"):
        read_output(path)


def test_a_line_of_a_million_characters_is_kept_cut() -> None:
    output = read_output(tool_texts.TIDL_BLOCK + "(" * 1_000_000 + "\n")
    assert any(one == "not understood: " + "(" * 2000 for one in output.warnings)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize(
    "text", ["{" * 3000, "[" * 3000, '{"latency": ' * 3000, "[]", "{}", "null", "\0", "[1]", "[{}]"]
)
def test_json_of_no_tool_is_refused(tool: str, text: str) -> None:
    with pytest.raises(ToolOutputError):
        read_output(text, tool)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, str]:
    """An invented text with some of its lines cut, doubled, changed or replaced."""
    tool, text = draw(st.sampled_from(tool_texts.TEXTS))
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        begin = draw(st.integers(0, len(line)))
        put = draw(
            st.sampled_from(["", "0", "-", "nan", "1e400", ":", ";", '"', "null", "[]", "\t", "%", "9" * 30])
            | st.text(max_size=8)
        )
        kind = draw(st.sampled_from(["change", "cut", "double", "drop"]))
        end = min(len(line), begin + draw(st.integers(0, 12)))
        lines[at : at + 1] = {
            "change": [line[:begin] + put + line[end:]], "cut": [line[:begin]], "double": [line, line], "drop": [""],
        }[kind]  # fmt: skip
    return tool, "\n".join(lines)


@given(damaged())
@settings(max_examples=400, deadline=None)
def test_damaged_lines_raise_nothing_but_the_error_of_this_rib(case: tuple[str, str]) -> None:
    tool, text = case
    try:
        output = read_output(text, tool)
    except ToolOutputError:
        return
    assert isinstance(output, ToolOutput)
    assert all(math.isfinite(one.value) and one.value > 0 for one in output.numbers)
    assert all(one.value is None or 0 <= one.value < math.inf for one in output.layers)
