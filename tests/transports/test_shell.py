"""Scripts for a device's shell: every word arrives as it is, whatever shell reads it."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.transports.shell import answered, last_words, quoted, staged, wrapped
from harness.transports.talking import Said

# Any text that a command line can hold: no NUL, no half of a surrogate pair.
CHARACTERS = st.characters(blacklist_characters="\0", blacklist_categories=("Cs",))
WORDS = st.lists(st.text(CHARACTERS, max_size=40), min_size=1, max_size=6)
LOGIN_SHELLS = ["sh", "bash", "dash", "busybox", "mksh", "zsh", "fish", "tcsh", "csh"]
SHOW = "printf '%s\\0' "


def read_back(words, login=("sh",)):
    """The words as a program behind the login shell sees them."""
    line = wrapped(SHOW + quoted(words))
    said = subprocess.run([*login, "-c", line], capture_output=True, check=True, timeout=20)
    return said.stdout.split(b"\0")[:-1]


@settings(max_examples=60, deadline=None)
@given(WORDS)
@example(["-n", "--", ""])
@example(
    ["a'b\"c`d`$e$(f)\\g\\\\h!i!!j", "\n", "\n\n", "\t \r", "%s%n\\045", "*?[a]~{b,c}", "é€\U0001f600\u202e", "#x"]
)
def test_any_word_arrives_unchanged(words):
    assert read_back(words) == [word.encode() for word in words]


@pytest.mark.parametrize("shell", LOGIN_SHELLS)
def test_any_login_shell_hands_it_on(shell):
    if not shutil.which(shell):
        pytest.skip(f"no {shell} on this machine")
    words = ["a'b\"c`d`$e$(f)\\g\\\\h!i!!j", "\n x \n", "%s\\0101", "*~{b,c}", "é€", "-n", ""]
    login = [shell, "sh"] if shell == "busybox" else [shell]
    assert read_back(words, login) == [word.encode() for word in words]


@given(st.text(max_size=80))
def test_what_the_login_shell_reads_is_one_line_of_plain_characters(script):
    line = wrapped(script.encode("utf-8", "replace").decode())
    assert line.isascii()
    assert line.isprintable()


@pytest.mark.parametrize("words", [["\0"], ["true", "a\0b"]])
def test_a_word_with_a_nul_is_refused(words):
    with pytest.raises(ConfigError, match="NUL"):
        quoted(words)


def test_a_command_that_no_kernel_takes_is_refused():
    with pytest.raises(ConfigError, match="characters"):
        wrapped("x" * 200_000)


@given(st.binary(max_size=200), st.binary(max_size=60), st.integers(0, 255), st.booleans(), st.binary(max_size=60))
def test_an_answer_is_found_in_any_noise(out, noise, status, late, err):
    said = Said(status=255, out=noise + b"m[" + out + b"m]%d %d\n" % (status, late) + err, err=noise)
    answer = answered(said, "m")
    if b"m[" not in noise + out + err and b"m]" not in out + err:
        assert answer is not None
        assert (answer.out, answer.err, answer.status, answer.timed_out) == (out, noise + err, status, late)


@given(st.integers(0, 40))
def test_an_answer_that_is_cut_off_anywhere_is_none(length):
    whole = b"welcome\nmark[the answer\nmark]255 0\n"
    answer = answered(Said(status=255, out=whole[:length], err=b""), "mark")
    assert (answer is None) == (length < len(whole))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"sh: 12: cannot create /x: Directory nonexistent\n", "cannot create /x: Directory nonexistent"),
        (b"noise\ncat: write error: No space left on device\n", "cat: write error: No space left on device"),
        (b"\xff\n", "\ufffd"),
        (b"", ""),
    ],
)
def test_the_last_words_of_a_shell_are_kept_without_its_name(said, words):
    assert last_words(said) == words


def test_a_file_on_its_way_lies_beside_its_target():
    folder, part, target = staged("/var/tmp/store/ab/model.onnx")
    assert (folder, target) == ("/var/tmp/store/ab", "/var/tmp/store/ab/model.onnx")
    assert part.startswith("/var/tmp/store/ab/.")
    assert part != staged(target)[1]
