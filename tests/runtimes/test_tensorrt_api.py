"""Every name of TensorRT and CUDA that the adapter uses exists in NVIDIA's own packages, and takes what it is given.

The Python bindings are imported beside libraries that only have the symbols they look up; nothing is built or run.
"""

from __future__ import annotations

import ast
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import EngineError
from harness.runtimes.cudart import MEMORY_AT, NAME_BYTES, NAMES, open_cuda
from harness.runtimes.cudart_functions import FUNCTIONS, NUMBERS
from harness.runtimes.tensorrt_library import version_of

HERE = Path(__file__).resolve().parent
BINDINGS = {
    "8.6": "tensorrt-bindings==8.6.1",
    "10.3": "tensorrt-cu12-bindings==10.3.0",
    "10.16": "tensorrt-cu12-bindings==10.16.1.11",
    "11.4": "tensorrt-cu13-bindings==11.4.0.106",
}
RUNTIMES = {
    "11": "nvidia-cuda-runtime-cu11==11.8.89", "12": "nvidia-cuda-runtime-cu12==12.9.79",
    "13": "nvidia-cuda-runtime==13.0.96",
}  # fmt: skip
LIBRARIES = ("libnvinfer", "libnvinfer_plugin", "libnvonnxparser", "libnvparsers")
DEADLINE_S = 120
PLAIN = None  # an attribute or a member of an enumeration, not called

# What the adapter uses -> the arguments that it gives by position; PLAIN where it calls nothing.
EVERYWHERE = {
    "Builder": ("logger",), "Builder.num_DLA_cores": PLAIN, "Builder.create_network": ("flags",),
    "Builder.create_builder_config": (), "Builder.create_optimization_profile": (),
    "Builder.build_serialized_network": ("network", "config"),
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED": PLAIN,
    "OnnxParser": ("network", "logger"), "OnnxParser.parse_from_file": ("model",), "OnnxParser.num_errors": PLAIN,
    "OnnxParser.get_error": ("index",), "ParserError.desc": (),
    "IBuilderConfig.set_flag": ("flag",), "IBuilderConfig.clear_flag": ("flag",),
    "IBuilderConfig.set_memory_pool_limit": ("pool", "pool_size"), "IBuilderConfig.profiling_verbosity": PLAIN,
    "IBuilderConfig.default_device_type": PLAIN, "IBuilderConfig.DLA_core": PLAIN,
    "IBuilderConfig.can_run_on_DLA": ("layer",), "IBuilderConfig.add_optimization_profile": ("profile",),
    "IBuilderConfig.create_timing_cache": ("serialized_timing_cache",), "IBuilderConfig.get_timing_cache": (),
    "IBuilderConfig.set_timing_cache": ("cache", "ignore_mismatch"), "ITimingCache.serialize": (),
    "IOptimizationProfile.set_shape": ("input", "min", "opt", "max"),
    "BuilderFlag.TF32": PLAIN, "BuilderFlag.GPU_FALLBACK": PLAIN, "MemoryPoolType.WORKSPACE": PLAIN,
    "ProfilingVerbosity.DETAILED": PLAIN, "DeviceType.DLA": PLAIN, "DeviceType.GPU": PLAIN,
    "INetworkDefinition.num_layers": PLAIN, "INetworkDefinition.get_layer": ("index",),
    "INetworkDefinition.num_inputs": PLAIN, "INetworkDefinition.get_input": ("index",),
    "ILayer.name": PLAIN, "ILayer.type": PLAIN, "ILayer.num_outputs": PLAIN, "ILayer.get_output": ("index",),
    "ITensor.name": PLAIN, "ITensor.shape": PLAIN, "ITensor.dtype": PLAIN,
    "LayerType.CONSTANT": PLAIN, "LayerType.QUANTIZE": PLAIN, "LayerType.DEQUANTIZE": PLAIN,
    "Runtime": ("logger",), "Runtime.DLA_core": PLAIN, "Runtime.deserialize_cuda_engine": ("serialized_engine",),
    "ICudaEngine.num_io_tensors": PLAIN, "ICudaEngine.get_tensor_name": ("index",),
    "ICudaEngine.get_tensor_mode": ("name",), "ICudaEngine.get_tensor_shape": ("name",),
    "ICudaEngine.get_tensor_dtype": ("name",), "ICudaEngine.get_tensor_location": ("name",),
    "ICudaEngine.get_tensor_format": ("name",), "TensorFormat.LINEAR": PLAIN,
    "ICudaEngine.get_tensor_profile_shape": ("name", "profile_index"), "ICudaEngine.create_execution_context": (),
    "ICudaEngine.create_engine_inspector": (), "TensorIOMode.INPUT": PLAIN, "TensorLocation.DEVICE": PLAIN,
    "EngineInspector.get_engine_information": ("format",), "LayerInformationFormat.JSON": PLAIN,
    "IExecutionContext.set_input_shape": ("name", "shape"), "IExecutionContext.get_tensor_shape": ("name",),
    "IExecutionContext.set_tensor_address": ("name", "memory"), "IExecutionContext.profiler": PLAIN,
    "IExecutionContext.execute_async_v3": ("stream_handle",),
    "IProfiler": (), "IProfiler.report_layer_time": ("layer_name", "ms"),
    "ILogger": (), "ILogger.log": ("severity", "msg"), "ILogger.INTERNAL_ERROR": PLAIN, "ILogger.ERROR": PLAIN,
    "ILogger.WARNING": PLAIN, "init_libnvinfer_plugins": ("logger", "namespace"), "get_plugin_registry": (),
    "IPluginRegistry.load_library": ("plugin_path",),
    **{f"DataType.{name}": PLAIN for name in ("FLOAT", "HALF", "INT8", "UINT8", "INT32", "BOOL")},
}  # fmt: skip
UNTIL_10 = {
    "NetworkDefinitionCreationFlag.EXPLICIT_BATCH": PLAIN, "BuilderFlag.FP16": PLAIN, "BuilderFlag.INT8": PLAIN,
    "BuilderFlag.OBEY_PRECISION_CONSTRAINTS": PLAIN, "ILayer.precision": PLAIN,
    "ILayer.set_output_type": ("index", "dtype"), "ITensor.set_dynamic_range": ("min", "max"),
    "IBuilderConfig.int8_calibrator": PLAIN, "IBuilderConfig.set_calibration_profile": ("profile",),
    **{
        f"{kind}{name}": arguments
        for kind in ("IInt8EntropyCalibrator2", "IInt8MinMaxCalibrator")
        for name, arguments in {
            "": (), ".get_batch_size": (), ".get_batch": ("names",), ".read_calibration_cache": (),
            ".write_calibration_cache": ("cache",),
        }.items()
    },
}  # fmt: skip
SINCE_10 = {"DataType.INT64": PLAIN, "DataType.BF16": PLAIN}
ONLY_10 = {"BuilderFlag.BF16": PLAIN}
TABLE = {**EVERYWHERE, **UNTIL_10, **SINCE_10, **ONLY_10}
# Asked for with hasattr before it is used.
ABSENT = {
    8: {"NetworkDefinitionCreationFlag.STRONGLY_TYPED": PLAIN, **SINCE_10, **ONLY_10},
    10: {},
    11: {**UNTIL_10, **ONLY_10},
}
# What the adapter calls objects of TensorRT.
RECEIVERS = {
    "config": "IBuilderConfig", "network": "INetworkDefinition", "parser": "OnnxParser", "layer": "ILayer",
    "profile": "IOptimizationProfile", "tensors[name]": "ITensor", "registry": "IPluginRegistry",
    "inspector": "EngineInspector", "self._builder": "Builder", "self._runtime": "Runtime",
    "self._engine": "ICudaEngine", "self._context": "IExecutionContext",
}  # fmt: skip
# Names in the adapter that TensorRT happens to have too: of numpy, ctypes, files, lists, and its own.
OTHERS = {
    "allocate",
    "append",
    "count",
    "ctypes",
    "data",
    "flags",
    "float32",
    "free",
    "itemsize",
    "nbytes",
    "read",
    "update",
    "write",
}


def fetched(request, name, specification):
    """A folder with one package of NVIDIA's; kept between sessions."""
    cache = request.config.cache
    folder = Path(cache.mkdir("nvidia_packages")) / name
    if not (folder / "whole").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        command += ["--only-binary=:all:", "--target", str(folder), specification]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S)
            failed = (done.stderr.strip() or "pip says nothing") if done.returncode else ""
        except subprocess.TimeoutExpired as error:
            failed = str(error)
        if failed:
            absent(f"{specification} cannot be fetched: {failed.splitlines()[-1]}")
        (folder / "whole").touch()
    return folder


def absent(words):
    """The check counts for nothing without NVIDIA's packages: skipped on a desk, failed where changes are judged."""
    if os.environ.get("CI"):
        pytest.fail(words)
    pytest.skip(words)


@pytest.fixture(scope="session")
def symbols(tmp_path_factory):
    """A folder of libraries that have TensorRT's symbols and nothing behind them."""
    if not shutil.which("cc"):
        absent("no C compiler (cc) for the libraries that the bindings need")
    folder = tmp_path_factory.mktemp("symbols")
    built = folder / "nothing.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-o", str(built), str(HERE / "tensorrt_symbols.c")], check=True, timeout=60
    )
    for library in LIBRARIES:
        for major in (8, 10, 11):
            (folder / f"{library}.so.{major}").symlink_to(built)
    return folder


@pytest.fixture(scope="session", params=BINDINGS)
def told(request, symbols, checkout, tmp_path_factory):
    """What one version's bindings have, and what the adapter's classes answer on them."""
    if request.param == "8.6" and sys.version_info >= (3, 12):
        pytest.skip("NVIDIA has no bindings of TensorRT 8.6 for Python 3.12 and newer")
    bindings = fetched(request, request.param, BINDINGS[request.param])
    path = os.pathsep.join([str(checkout), str(bindings)])
    done = subprocess.run(
        [sys.executable, str(HERE / "tensorrt_surface.py"), str(tmp_path_factory.mktemp("frames"))],
        capture_output=True, text=True, timeout=60,
        env={**os.environ, "LD_LIBRARY_PATH": str(symbols), "PYTHONPATH": path},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def major_of(told):
    return told["answers"]["version"][0]


def expected(major):
    return {name: arguments for name, arguments in TABLE.items() if name not in ABSENT[major]}


def signatures(words):
    """The parameters of each overload that pybind11 wrote down: names, and which of them have a default."""
    for line in words.splitlines():
        found = re.match(r"(?:\d+\. )?\w+\((.*)\) -> ", line)
        if found:
            parts = [one for one in re.split(r", (?=\w+: )", found[1]) if not one.startswith("self: ")]
            yield [(one.split(":")[0], " = " in one) for one in parts if one]


def takes(words, arguments):
    """True where some overload takes these arguments by position and asks for no more."""
    for parameters in signatures(words):
        names = tuple(name for name, _ in parameters)
        if names[: len(arguments)] == arguments and all(default for _, default in parameters[len(arguments) :]):
            return True
    return False


def test_every_name_that_the_adapter_uses_is_there(told):
    assert [name for name in expected(major_of(told)) if name not in told["surface"]] == []


def test_every_call_fits_its_signature(told):
    calls = {name: given for name, given in expected(major_of(told)).items() if given is not PLAIN}
    assert len(calls) > 40
    assert {
        name: told["surface"][name] for name, given in calls.items() if not takes(told["surface"][name], given)
    } == {}


def test_what_the_adapter_leaves_out_of_a_version_is_not_there(told):
    assert [name for name in ABSENT[major_of(told)] if name in told["surface"]] == []


@pytest.mark.parametrize(
    ("words", "given", "fits"),
    [
        ("run(self: a.B, stream: int) -> bool", ("stream",), True),
        ("run(self: a.B, stream: typing.SupportsInt, flags: int = 0) -> bool", ("stream",), True),
        ("run(self: a.B, stream: int, more: int) -> bool", ("stream",), False),
        ("run(self: a.B, handle: int) -> bool", ("stream",), False),
        ("run(*args, **kwargs)\nOverloaded\n\n1. run(self: a.B, x: int) -> bool\n2. run(self: a.B, stream: b) -> bool",
         ("stream",), True),
        ("run(self: a.B) -> bool", (), True),
        ("a property", (), False),
    ],
)  # fmt: skip
def test_a_signature_is_read_as_pybind11_writes_it(words, given, fits):
    assert takes(words, given) == fits


def sources(checkout):
    return [ast.parse(path.read_text()) for path in sorted((checkout / "harness" / "runtimes").glob("tensorrt*.py"))]


def used(checkout):
    """Names in the adapter: attributes, methods that it defines, and words in capitals that it looks up."""
    for tree in sources(checkout):
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.FunctionDef):
                yield node.name
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isupper():
                yield node.value


def test_the_table_has_every_name_of_tensorrt_in_the_adapter_and_no_other(checkout, told):
    known = {part for name in told["surface"] for part in name.split(".") if not part.startswith("_")}
    declared = {part for name in TABLE for part in name.split(".")}
    assert (set(used(checkout)) & known) - declared - OTHERS == set()
    assert {name.rpartition(".")[2] for name in TABLE} - set(used(checkout)) == set()


def named(checkout):
    """Names that the adapter takes from the package, and from objects whose class is known by what it calls them."""
    for tree in sources(checkout):
        for node in (one for one in ast.walk(tree) if isinstance(one, ast.Attribute)):
            words = ast.unparse(node).replace(".__init__", "")
            receiver, _, name = words.rpartition(".")
            package = re.match(r"(?:self\._)?trt\.(.+)", words)
            if package and not package[1].startswith("_"):
                yield package[1]
            elif receiver in RECEIVERS:
                yield f"{RECEIVERS[receiver]}.{name}"


def test_every_object_of_tensorrt_is_asked_only_for_what_the_table_has_of_its_class(checkout):
    found = set(named(checkout))
    classes = {name.partition(".")[0] for name in TABLE}
    assert found - set(TABLE) - classes == set()
    assert {name.partition(".")[0] for name in found} >= {*RECEIVERS.values(), "BuilderFlag", "DataType"}


def test_every_call_in_the_adapter_gives_the_arguments_of_the_table(checkout):
    counts = {name.rpartition(".")[2]: len(given) for name, given in TABLE.items() if given is not PLAIN}
    counts = {name: count for name, count in counts.items() if name != "log"}
    for tree in sources(checkout):
        for node in (
            one for one in ast.walk(tree) if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute)
        ):
            starred = any(isinstance(one, ast.Starred) for one in node.args)
            if node.func.attr in counts and not starred:
                assert len(node.args) + len(node.keywords) == counts[node.func.attr], ast.unparse(node)


def test_classes_of_the_adapter_work_on_the_real_ones(told):
    answers = told["answers"]
    major = major_of(told)
    assert answers["errors"] == ["no memory"]
    assert answers["placed"] == ["[DlaLayer] {ForeignNode[a...b]}"]
    assert answers["profile"] == {"conv": 0.75}
    assert (
        answers["strongly"]
        == {8: ["EXPLICIT_BATCH"], 10: ["EXPLICIT_BATCH", "STRONGLY_TYPED"], 11: ["STRONGLY_TYPED"]}[major]
    )
    assert answers["weakly"] == (0 if major == 11 else 1)
    assert answers["dtypes"]["HALF"] == "float16"
    assert ("INT64" in answers["dtypes"]) == (major >= 10)
    told_twice = [2, [[4096], [4096], None], None, "ranges"]
    assert answers["calibrators"] == ({} if major == 11 else {"entropy": told_twice, "minmax": told_twice})


@pytest.mark.parametrize(
    ("words", "version"),
    [("8.5.2.2", (8, 5, 2)), ("10.16.1.11", (10, 16, 1)), ("10.3.0", (10, 3, 0)), ("11.4.0.106", (11, 4, 0)),
     ("10.13.3.9.post1", (10, 13, 3)), ("10.3.0rc1", (10, 3, 0)), ("9.0", (9, 0, 0))],
)  # fmt: skip
def test_a_version_is_three_numbers(words, version):
    class Trt:
        __version__ = words

    assert version_of(Trt) == version


@pytest.fixture(scope="session", params=RUNTIMES)
def cuda_package(request):
    return fetched(request, f"cudart{request.param}", RUNTIMES[request.param])


def the_one(folder, pattern):
    (path,) = folder.rglob(pattern)
    return path


def test_every_cuda_function_has_the_header_s_parameters(cuda_package):
    header = the_one(cuda_package, "cuda_runtime_api.h").read_text(errors="replace")
    library = ctypes.CDLL(str(the_one(cuda_package, "libcudart.so.*")))
    for name, declared in FUNCTIONS.items():
        assert hasattr(library, name)
        found = re.search(rf"CUDARTAPI(?:_CDECL)? {name}\(([^;]*)\);", header)
        parameters = [] if found[1] == "void" else re.sub(r"__dv\([^)]*\)", "", found[1]).split(",")
        assert [kind_of_c(one) for one in parameters] == [kind_of_ctypes(one) for one in declared], name


def kind_of_c(parameter):
    words = parameter.replace("*", " * ").split()
    if "*" in words or any(re.fullmatch(r"cuda(Stream|Event|Graph|GraphExec)_t", word) for word in words):
        return "pointer"
    if "enum" in words:
        return "int"
    return {"int": "int", "size_t": "64 bits", "unsigned int": "unsigned", "unsigned long long": "64 bits"}[
        " ".join(words[:-1])
    ]


def kind_of_ctypes(kind):
    plain = {ctypes.c_int: "int", ctypes.c_uint: "unsigned", ctypes.c_size_t: "64 bits", ctypes.c_ulonglong: "64 bits"}
    return plain.get(kind, "pointer" if kind is ctypes.c_void_p or hasattr(kind, "contents") else "number")


def test_every_cuda_number_is_the_header_s(cuda_package):
    header = the_one(cuda_package, "driver_types.h").read_text(errors="replace")
    for name, number in NUMBERS.items():
        found = re.search(rf"\b{name}\s*=?\s*(0x[0-9a-fA-F]+|\d+)", header)
        assert int(found[1], 0) == number, name


def test_the_memory_of_a_gpu_stands_where_the_header_says(cuda_package):
    header = the_one(cuda_package, "driver_types.h").read_text(errors="replace")
    body = re.search(r"struct __device_builtin__ cudaDeviceProp\s*\{(.*?)\}", header, re.S)[1]
    first = [" ".join(one.split()) for one in re.sub(r"/\*.*?\*/", "", body, flags=re.S).split(";")[:5]]
    assert first == [
        f"char name[{NAME_BYTES}]", "cudaUUID_t uuid", "char luid[8]", "unsigned int luidDeviceNodeMask",
        "size_t totalGlobalMem",
    ]  # fmt: skip
    assert MEMORY_AT == NAME_BYTES + 16 + 8 + 4 + 4


def test_a_library_is_looked_for_under_the_name_of_each_version(cuda_package):
    assert the_one(cuda_package, "libcudart.so.*").name in NAMES


def test_nvidia_s_own_library_without_a_driver_is_an_error_and_no_crash(cuda_package):
    if any(Path("/dev").glob("nvidia*")):
        pytest.skip("this machine has an NVIDIA GPU")
    with pytest.raises(EngineError, match=r"no GPU that it can use: .*CUDA error (35|100)") as caught:
        open_cuda(str(the_one(cuda_package, "libcudart.so.*")))
    assert "install NVIDIA's driver" in caught.value.remedy
