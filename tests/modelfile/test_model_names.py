"""Names of models: refused where they could be a path, an option, markup or two names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import ConfigError
from harness.modelfile import check_model_name, derive_model_name


@pytest.mark.parametrize("name", ["a", "9", "eye_state", "yolov5s-6.2", "A" * 64, "a..b"])
def test_a_plain_name_passes(name: str) -> None:
    assert check_model_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", ".", "..", ".hidden", "-x", "-oProxyCommand=x", "_x", "a/b", "a\\b", "../a", "a b", "a,b", "a;b", "$(x)",
        "a`b`", "a\n", "a\nb", "\x1b[31mred", "<script>", "[bold]", "ä", "a\u202eb", "a" * 65, "a\0", "a'b", 'a"b',
        "a:b", "a|b",
    ],
)  # fmt: skip
def test_any_other_name_is_refused_and_shown_escaped(name: str) -> None:
    with pytest.raises(ConfigError, match="model name") as caught:
        check_model_name(name, where="--name")
    assert str(caught.value).isprintable()
    assert "64" in caught.value.remedy


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("yolov5s.onnx", "yolov5s"),
        ("my model (final).onnx", "my-model-final"),
        ("a/b.onnx", "a-b"),
        ("a\x1b[31m\n<b>.tflite", "a-31m-b"),
        (".onnx", "onnx"),
        ("---.onnx", "model"),
        ("日本.onnx", "model"),
        ("x" * 300 + ".onnx", "x" * 64),
    ],
)
def test_a_name_is_derived_from_the_file_s(file_name: str, name: str) -> None:
    assert derive_model_name(file_name) == name


@given(st.text())
def test_a_derived_name_is_always_valid(file_name: str) -> None:
    assert check_model_name(derive_model_name(file_name))
