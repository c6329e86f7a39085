"""A stand-in for NVIDIA's package `tensorrt`: the names that the adapter uses, and own rules in place of a GPU.

It shows how the adapter branches, caches and refuses; it proves nothing about TensorRT. That the names and signatures
are the real ones is checked in test_tensorrt_api.py.

An "ONNX file" is JSON: inputs and outputs as name -> shape, layers as {name, type, dla}. The one network there is tells
dark frames from bright ones. An "engine" has the header of a plan and JSON behind it. As the real one, it ends the
process where an engine is deserialised without a driver. Environment: STANDIN_VERSION, STANDIN_FAULT,
STANDIN_DLA_CORES.
"""

from __future__ import annotations

import ctypes
import enum
import json
import os
import signal
import struct

import numpy as np

__version__ = os.environ.get("STANDIN_VERSION", "10.3.0")
NUMBERS = tuple(int(one) for one in __version__.split("."))
MAJOR = NUMBERS[0]
FAULT = os.environ.get("STANDIN_FAULT", "")
NUMPY = {"FLOAT": np.float32, "HALF": np.float16, "INT8": np.int8, "INT32": np.int32}
FORMATS = {"FLOAT": "Float", "HALF": "Half", "INT8": "Int8"}


def members(name, words, absent=()):
    return enum.IntEnum(name, [one for one in words.split() if one not in absent], start=0)


SINCE_10 = () if MAJOR >= 10 else ("BF16", "INT64", "STRONGLY_TYPED")
UNTIL_10 = () if MAJOR < 11 else ("FP16", "INT8", "BF16", "OBEY_PRECISION_CONSTRAINTS", "EXPLICIT_BATCH")
BuilderFlag = members("BuilderFlag", "FP16 INT8 BF16 TF32 GPU_FALLBACK OBEY_PRECISION_CONSTRAINTS", SINCE_10 + UNTIL_10)
NetworkDefinitionCreationFlag = members(
    "NetworkDefinitionCreationFlag", "EXPLICIT_BATCH STRONGLY_TYPED", SINCE_10 + UNTIL_10
)
DataType = members("DataType", "FLOAT HALF INT8 INT32 BOOL UINT8 INT64 BF16 FP8", SINCE_10)
DeviceType = members("DeviceType", "GPU DLA")
LayerType = members("LayerType", "CONVOLUTION ACTIVATION CONSTANT QUANTIZE DEQUANTIZE SHAPE")
MemoryPoolType = members("MemoryPoolType", "WORKSPACE")
ProfilingVerbosity = members("ProfilingVerbosity", "LAYER_NAMES_ONLY NONE DETAILED")
TensorIOMode = members("TensorIOMode", "NONE INPUT OUTPUT")
TensorLocation = members("TensorLocation", "DEVICE HOST")
TensorFormat = members("TensorFormat", "LINEAR CHW16")
LayerInformationFormat = members("LayerInformationFormat", "ONELINE JSON")


class ILogger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class IProfiler:
    pass


if MAJOR < 11:

    class IInt8EntropyCalibrator2:
        pass

    class IInt8MinMaxCalibrator:
        pass


def init_libnvinfer_plugins(logger, namespace):
    return namespace == "" and FAULT != "plugins"


class Registry:
    if NUMBERS >= (8, 6):

        def load_library(self, plugin_path):
            return None if FAULT == "registry" else object()


def get_plugin_registry():
    return Registry()


class Tensor:
    def __init__(self, name, shape, dtype=DataType.FLOAT):
        self.name, self.shape, self.dtype, self.range = name, tuple(shape), dtype, None

    def set_dynamic_range(self, low, high):
        self.range = [low, high]
        return high > 0


class Layer:
    precision = None

    def __init__(self, raw):
        self.name, self.type, self.dla = raw["name"], LayerType[raw["type"]], raw.get("dla", True)
        dtype = DataType.INT32 if self.type == LayerType.SHAPE else DataType.FLOAT
        self._output, self.num_outputs = Tensor(f"{self.name}_output", (1,), dtype), 1

    def get_output(self, index):
        return self._output

    def set_output_type(self, index, dtype):
        self._output.dtype = dtype


class Network:
    def __init__(self, flags):
        self.flags, self.raw, self._inputs, self._layers = flags, {}, [], []

    def take(self, raw):
        dtype = DataType[raw.get("dtype", "FLOAT")]
        self.raw, self._inputs = raw, [Tensor(name, shape, dtype) for name, shape in raw["inputs"].items()]
        self._layers = [Layer(one) for one in raw["layers"]]

    num_inputs = property(lambda self: len(self._inputs))
    num_layers = property(lambda self: len(self._layers))

    def get_input(self, index):
        return self._inputs[index]

    def get_layer(self, index):
        return self._layers[index]


class ParserError:
    def __init__(self, words):
        self._words = words

    def desc(self):
        return self._words


class OnnxParser:
    num_errors = 0

    def __init__(self, network, logger):
        self._network = network

    def parse_from_file(self, model):
        try:
            with open(model) as file:
                self._network.take(json.load(file))
        except ValueError as error:
            self._error, self.num_errors = ParserError(f"no operator: {error}"), 1
            return False
        return True

    def get_error(self, index):
        return self._error


class Profile:
    def __init__(self):
        self.shapes = {}

    def set_shape(self, input, min, opt, max):
        self.shapes[input] = [list(min), list(opt), list(max)]


class Timings:
    def __init__(self, content):
        self.content = content

    def serialize(self):
        return self.content + b"t"


class Config:
    def __init__(self):
        self.flags, self.pools, self.profile, self.calibration = {"TF32"}, {}, Profile(), None
        self.default_device_type, self.DLA_core, self.int8_calibrator = DeviceType.GPU, -1, None
        self._timings = Timings(b"")

    def set_flag(self, flag):
        self.flags.add(flag.name)

    def clear_flag(self, flag):
        self.flags.discard(flag.name)

    def set_memory_pool_limit(self, pool, pool_size):
        self.pools[pool.name] = pool_size

    def add_optimization_profile(self, profile):
        self.profile = profile
        return 0

    def set_calibration_profile(self, profile):
        self.calibration = profile.shapes
        return True

    def create_timing_cache(self, serialized_timing_cache):
        return Timings(serialized_timing_cache)

    def set_timing_cache(self, cache, ignore_mismatch):
        fits = not cache.content.startswith(b"foreign")
        self._timings = cache if fits else self._timings
        return fits

    def get_timing_cache(self):
        return self._timings

    def can_run_on_DLA(self, layer):  # noqa: N802
        return layer.dla


class Builder:
    num_DLA_cores = int(os.environ.get("STANDIN_DLA_CORES", "0"))  # noqa: N815

    def __init__(self, logger):
        self._logger = logger

    def create_network(self, flags=0):
        return Network(flags)

    def create_builder_config(self):
        return Config()

    def create_optimization_profile(self):
        return Profile()

    def build_serialized_network(self, network, config):
        if FAULT == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if FAULT == "refuse":
            self._logger.log(ILogger.ERROR, "no kernel was found")
            return None
        batches = self._calibrate(network, config.int8_calibrator)
        if batches is None:
            return None
        on_dla = config.default_device_type == DeviceType.DLA
        for number in range(network.num_layers if on_dla else 0):
            layer = network.get_layer(number)
            place = "Dla" if layer.dla else "Gpu"
            self._logger.log(ILogger.INFO, f"[{place}Layer] {layer.name}")
        if on_dla and "on_gpu" in network.raw:
            self._logger.log(ILogger.INFO, f"[GpuLayer] {network.raw['on_gpu']}")
        return plan(self._described(network, config, batches))

    def _calibrate(self, network, calibrator):
        """How many batches were read; None where there was none, -1 where the ranges were known."""
        if calibrator is None or calibrator.read_calibration_cache() is not None:
            return -1
        batches, names = 0, [network.get_input(number).name for number in range(network.num_inputs)]
        while calibrator.get_batch(names):
            batches += 1
        if not batches:
            return None
        calibrator.write_calibration_cache(b"ranges")
        return batches

    def _described(self, network, config, batches):
        chosen = "INT8" if "INT8" in config.flags else "HALF" if "FP16" in config.flags else "FLOAT"
        layers = [network.get_layer(number) for number in range(network.num_layers)]
        return {
            **network.raw, "network_flags": network.flags, "flags": sorted(config.flags), "pools": config.pools,
            "profile": config.profile.shapes, "calibration_profile": config.calibration, "batches": batches,
            "dla": config.DLA_core, "timings": len(config.get_timing_cache().content),
            "ranges": {one.get_output(0).name: one.get_output(0).range for one in layers if one.get_output(0).range},
            "precisions": {one.name: one.precision.name if one.precision is not None else chosen for one in layers},
        }  # fmt: skip


def plan(described):
    content = bytes([*NUMBERS[:3], 0]) + json.dumps(described).encode()
    return b"ftrt" + struct.pack("<IIIQ", 0, 0, 0, len(content)) + content


class Runtime:
    DLA_core = -1

    def __init__(self, logger):
        self._logger = logger

    def deserialize_cuda_engine(self, serialized_engine):
        if cuda().cudaGetDeviceCount(ctypes.byref(ctypes.c_int())):
            os.kill(os.getpid(), signal.SIGSEGV)
        if FAULT == "deserialise":
            self._logger.log(ILogger.ERROR, "the plan is for another device")
            return None
        return Engine(json.loads(serialized_engine[28:]))


class Engine:
    def __init__(self, raw):
        self.raw = raw
        self._tensors = {**raw["inputs"], **raw["outputs"]}
        self.num_io_tensors = len(self._tensors)

    def get_tensor_name(self, index):
        return list(self._tensors)[index]

    def get_tensor_mode(self, name):
        return TensorIOMode.INPUT if name in self.raw["inputs"] else TensorIOMode.OUTPUT

    def get_tensor_shape(self, name):
        return self._tensors[name]

    def get_tensor_dtype(self, name):
        return DataType[self.raw.get("dtype", "FLOAT") if name in self.raw["inputs"] else "FLOAT"]

    def get_tensor_location(self, name):
        return TensorLocation[self.raw.get("location", "DEVICE")]

    def get_tensor_format(self, name):
        return TensorFormat[self.raw.get("format", "LINEAR")]

    def get_tensor_profile_shape(self, name, profile_index):
        return self.raw["profile"][name]

    def create_execution_context(self):
        return None if FAULT == "context" else Context(self)

    def create_engine_inspector(self):
        return Inspector(self)


class Inspector:
    def __init__(self, engine):
        self._raw = engine.raw

    def get_engine_information(self, format):
        if FAULT == "inspector":
            return "none"
        layers = [
            {"Name": one["name"], "LayerType": one["type"].title(), "Activation": one.get("activation", "NONE"),
             "Outputs": [{"Format/Datatype": FORMATS[self._raw["precisions"][one["name"]]]}]}
            for one in self._raw["layers"]
        ]  # fmt: skip
        return json.dumps({"Layers": layers})


class Context:
    profiler = None

    def __init__(self, engine):
        self._engine, self._addresses, self._shapes = engine, {}, {}

    def set_input_shape(self, name, shape):
        least, _, most = self._engine.get_tensor_profile_shape(name, 0)
        self._shapes[name] = tuple(shape)
        return all(a <= b <= c for a, b, c in zip(least, shape, most))

    def get_tensor_shape(self, name):
        batch = next((shape[0] for shape in self._shapes.values()), 1)
        if name in self._shapes:
            return self._shapes[name]
        if self._engine.raw.get("data_dependent"):
            return (-1, 2) if name in self._engine.raw["outputs"] else self._engine.get_tensor_shape(name)
        return tuple(batch if size == -1 else size for size in self._engine.get_tensor_shape(name))

    def set_tensor_address(self, name, memory):
        self._addresses[name] = memory
        return FAULT != "address"

    def execute_async_v3(self, stream_handle):
        if FAULT == "execute" or not stream_handle:
            return False
        if cuda().standin_capturing():
            self._work = ctypes.CFUNCTYPE(None)(self._run)
            cuda().standin_capture(self._work)
        else:
            self._run()
        for layer in self._engine.raw["layers"] if self.profiler else ():
            self.profiler.report_layer_time(layer["name"], 0.25)
        return True

    def _run(self):
        (name,) = self._engine.raw["inputs"]
        pictures = self._array(name).astype(np.float32)
        bright = pictures.mean(axis=tuple(range(1, pictures.ndim)))
        for output in self._engine.raw["outputs"]:
            self._array(output)[...] = np.stack([1 - bright, bright], axis=1)

    def _array(self, name):
        shape, dtype = self.get_tensor_shape(name), NUMPY[self._engine.get_tensor_dtype(name).name]
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        memory = (ctypes.c_ubyte * size).from_address(self._addresses[name])
        return np.frombuffer(memory, dtype).reshape(shape)


def cuda():
    library = ctypes.CDLL(os.environ["STANDIN_CUDART"])
    library.standin_capture.restype = None
    return library
