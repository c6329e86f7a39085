"""The harness's worker with one more engine: ONNX Runtime, each call of which costs a known time more."""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from harness.agent import main
from harness.case import Array
from harness.runtimes import RUNTIMES
from harness.runtimes.onnxruntime import OnnxRuntime

ENGINE = "slowed"


class Slowed(OnnxRuntime):
    """extra_ns: what each call costs more; really spent, in the calling thread."""

    def __init__(self, model_path: str, extra_ns: int = 0, **options: Any) -> None:
        super().__init__(model_path, **options)
        self._extra_ns = extra_ns

    def infer(self, feeds: dict[str, Array]) -> dict[str, Array]:
        outputs = super().infer(feeds)
        until = time.perf_counter_ns() + self._extra_ns
        while time.perf_counter_ns() < until:
            pass
        return outputs


if __name__ == "__main__":
    RUNTIMES[ENGINE] = "benchmarks.verdict.worker:Slowed"
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)
