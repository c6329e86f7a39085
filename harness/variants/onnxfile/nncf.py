"""Static INT8 by NNCF, which corrects biases for what rounding does to them; its own calibration, for CPU engines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness.case import Array
from harness.errors import ConfigError
from harness.variants.libraries import library, working
from harness.variants.onnxfile.schemes import CPU, Scheme


def write_with_nncf(
    ready: Path,
    target: Path,
    given: Callable[[], Iterable[Mapping[str, Array]]],
    scheme: Scheme,
    per_channel: bool = True,
    excluded: Sequence[str] = (),
) -> None:
    """Quantise a prepared file on all frames that `given` has; the same bytes each time.

    ConfigError for another scheme than that of the CPU engines, which has a scale for each channel.
    """
    if scheme != CPU or not per_channel:
        raise ConfigError(
            "NNCF's files are made for CPU engines, with a scale for each channel", where="the recipe, options.method",
            remedy='use "minmax"',
        )  # fmt: skip
    onnx, nncf = library("onnx"), library("nncf")
    frames = [dict(one) for one in given()]
    with working("NNCF's quantiser fails", ready):
        made = nncf.quantize(
            onnx.load(str(ready)), nncf.Dataset(frames), subset_size=len(frames),
            preset=nncf.QuantizationPreset.MIXED, target_device=nncf.TargetDevice.CPU,
            ignored_scope=nncf.IgnoredScope(names=list(excluded)),
        )  # fmt: skip
        onnx.save(made, str(target))
