"""A stand-in for trtexec: its options, its log and its exports, for a net of one input and one output.

STANDIN_VERSION is what the banner says: 8201, 101601 or 110100.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from standin import FAULT, given, hold_or_die, option, scores

VERSION = int(os.environ.get("STANDIN_VERSION", "101601"))
LEVEL = "[08/01/2026-10:00:00] [I] "
FLAGS = """onnx saveEngine loadEngine loadInputs iterations duration warmUp exportTimes exportOutput exportProfile
exportLayerInfo useDLACore allowGPUFallback shapes minShapes optShapes maxShapes useSpinWait useCudaGraph"""
ADDED = {
    8: "fp16 int8 workspace buildOnly noDataTransfers",
    10: "fp16 int8 memPoolSize skipInference noDataTransfers profilingVerbosity",
    11: "memPoolSize skipInference includeDataTransfers noSpinWait noCudaGraph profilingVerbosity",
}
MAJOR = VERSION // 10_000 if VERSION >= 100_000 else VERSION // 1000
TYPE = os.environ.get("STANDIN_TYPE", "fp32")
INFER_MS = float(os.environ.get("STANDIN_MS", "2.5"))


def main() -> None:
    print(f"&&&& RUNNING TensorRT.trtexec [TensorRT v{VERSION}] # {' '.join(sys.argv)}")
    if given("help"):
        for flag in (FLAGS + " " + ADDED[MAJOR]).split():
            print(f"  --{flag}=<x>   words about it")
        return
    hold_or_die()
    refused = next((one for one in sys.argv[1:] if re.sub(r"^--(\w+).*", r"\1", one) not in known()), "")
    if refused:
        fail(f"Unknown option: {refused}")
    build() if option("onnx") else infer()
    print(f"&&&& PASSED TensorRT.trtexec [TensorRT v{VERSION}] # trtexec")


def known() -> set[str]:
    return set((FLAGS + " " + ADDED[MAJOR]).split())


def build() -> None:
    precision = "FP32" + ("+FP16" if given("fp16") else "") + ("+INT8" if given("int8") else "")
    print(f"{LEVEL}=== Build Options ===\n{LEVEL}Precision: {precision}\n{LEVEL}Refit: Disabled\n{LEVEL}")
    if option("useDLACore"):
        print(f"{LEVEL}[TRT] ---------- Layers Running on DLA ----------")
        print(f"{LEVEL}[TRT] [DlaLayer] {{ForeignNode[conv1...pool1]}}")
        print(f"{LEVEL}[TRT] ---------- Layers Running on GPU ----------")
        if given("allowGPUFallback"):
            print(f"{LEVEL}[TRT] [GpuLayer] SOFTMAX: prob")
    if FAULT != "no engine":
        Path(option("saveEngine")).write_text(f"engine of {VERSION}")
    print(f"{LEVEL}Engine built in 12.5 sec.")


def infer() -> None:
    engine = Path(option("loadEngine")).read_text()
    if engine != f"engine of {VERSION}":
        print("[08/01/2026-10:00:00] [E] Error[6]: the engine plan file was made by another version")
        fail("")
    settings()
    typed = f" and type {TYPE}" if VERSION >= 101600 else ""
    for side, name, size in (("Input", "image", "1x1x20x32"), ("Output", "scores", "1x2")):
        if MAJOR < 10:
            print(f"{LEVEL}Created {side.lower()} binding for {name} with dimensions {size}")
        else:
            print(f"{LEVEL}{side} binding for {name} with dimensions {size}{typed} is created.")
    if VERSION < 8400:
        print(f"{LEVEL}Engine loaded in 0.25 sec.")
    else:
        print(f"{LEVEL}Engine loaded in 0.05 sec.\n{LEVEL}Engine deserialized in 0.25 sec.")
    frames = int(option("iterations", "10"))
    export(frames)
    if option("exportTimes"):
        words = f"min = 2 ms, max = 3 ms, mean = {INFER_MS} ms, median = {INFER_MS} ms, percentile(99%) = 3 ms"
        print(f"{LEVEL}=== Performance summary ===\n{LEVEL}Throughput: 4e+02 qps\n{LEVEL}Latency: {words}")


def settings() -> None:
    flipped = MAJOR >= 11
    transfers = given("includeDataTransfers") if flipped else not given("noDataTransfers")
    spin = not given("noSpinWait") if flipped else given("useSpinWait")
    graph = not given("noCudaGraph") if flipped else given("useCudaGraph")
    if FAULT == "settings":
        transfers = not transfers
    print(f"{LEVEL}=== Inference Options ===")
    for name, on in (("Data transfers", transfers), ("Spin-wait", spin), ("CUDA Graph", graph)):
        print(f"{LEVEL}{name}: {'Enabled' if on else 'Disabled'}")
    print(LEVEL)
    if FAULT == "graph":
        print("[08/01/2026-10:00:00] [W] The CUDA graph capture on the stream has failed.")


def export(frames: int) -> None:
    loaded = dict(one.split(":", 1) for one in option("loadInputs").split(",") if one)
    if option("exportTimes"):
        rows = [_row(number) for number in range(frames - (FAULT == "fewer"))]
        Path(option("exportTimes")).write_text(_cut("[\n  " + "\n, ".join(rows) + "\n]\n"))
    if option("exportOutput"):
        values = " , ".join(map(str, scores(loaded["image"])))
        one = f'{{ "name" : "scores"\n  , "dimensions" : "1x2"\n  , "values" : [ {values} ]\n  }}\n'
        more = one.replace("scores", "extra") if FAULT == "outputs" else ""
        Path(option("exportOutput")).write_text(f"[\n  {one}{', ' if more else ''}{more}]\n")
    if option("exportProfile"):
        layer = '{ "name" : "conv1", "timeMs" : 40, "averageMs" : 2, "percentage" : 100 }'
        Path(option("exportProfile")).write_text(f'[\n  {{ "count" : {frames} }}\n, {layer}\n]\n')
    if option("exportLayerInfo"):
        Path(option("exportLayerInfo")).write_text(_layers())


def _row(number: int) -> str:
    # The first inferences are slower, as they are on a board.
    compute = INFER_MS - 0.5 + (4.0 if number < 3 else 0.001 * (number % 5))
    keys = ("inMs", "computeMs", "outMs") if MAJOR < 8 or FAULT == "old times" else ("h2dMs", "computeMs", "d2hMs")
    if FAULT == "new times":
        keys = ("uploadMs", "computeMs", "downloadMs")
    parts = zip((*keys, "latencyMs"), (0.3, compute, 0.2, compute + 0.5))
    return "{ " + ", ".join(f'"{key}" : {value}' for key, value in parts) + " }"


def _layers() -> str:
    if not ADDED[MAJOR].count("profilingVerbosity"):
        return '{"Layers": ["conv1 + relu1", "prob"], "Bindings": ["image", "scores"]}'
    half = '"Outputs": [{"Name": "a", "Format/Datatype": "Half"}]'
    full = '"Outputs": [{"Name": "b", "Format/Datatype": "Float"}]'
    rows = (
        f'{{"Name": "conv1 + relu1", "LayerType": "CaskConvolution", {half}, "ParameterType": "Convolution", '
        '"Activation": "RELU"}',
        f'{{"Name": "conv2", "LayerType": "CaskConvolution", {half}, "ParameterType": "Convolution", '
        '"Activation": "NONE"}',
        f'{{"Name": "/bn2/BatchNormalization", "LayerType": "Scale", {half}, "ParameterType": "Scale"}}',
        f'{{"Name": "prob", "LayerType": "kgen", {full}}}',
    )
    return '{"Layers": [' + ",".join(rows) + '],\n"Bindings": ["image"\n,"scores"\n]}'


def _cut(text: str) -> str:
    return text[: len(text) // 2] if FAULT == "truncated" else text


def fail(words: str) -> None:
    print(words)
    print(f"&&&& FAILED TensorRT.trtexec [TensorRT v{VERSION}] # trtexec")
    sys.exit(0 if FAULT == "status 0" else 1)


main()
