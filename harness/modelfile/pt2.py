"""A .pt2 archive of torch.export.save: its inputs, outputs and weights. Nothing is unpickled or loaded."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from typing import Any, BinaryIO, Dict, List, Tuple

import numpy as np

from harness.case import TensorSpec
from harness.errors import ModelFileError
from harness.modelfile.info import ModelInfo
from harness.modelfile.source import Source
from harness.modelfile.weights import Weights

_TYPE = {
    1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float16", 7: "float32", 8: "float64", 12: "bool",
    13: "bfloat16",
}  # fmt: skip
_MAX_JSON_BYTES = 64 << 20
_MEMBER = b"PK\x03\x04"
# The end record of 64-bit zips (56), its locator (20) and the plain end record (22).
_END_BYTES = 98
# RuntimeError stands for encrypted members and, as NotImplementedError, for versions that zipfile does not know.
DAMAGE = (zipfile.BadZipFile, OSError, ValueError, EOFError, RuntimeError)


def open_zip(stream: BinaryIO) -> zipfile.ZipFile:
    """A zip that everybody reads alike: it begins with a member, and its directory lies where its last bytes say.

    Python forgives bytes before and after; torch then reads a pickle, or another directory, from the same file.
    """
    stream.seek(0)
    begin = stream.read(len(_MEMBER))
    archive = zipfile.ZipFile(stream)
    if begin != _MEMBER or archive.comment or archive.start_dir != _said_directory(stream):
        raise zipfile.BadZipFile("there are bytes before or behind the archive")
    return archive


def _said_directory(stream: BinaryIO) -> int:
    stream.seek(0, io.SEEK_END)
    stream.seek(max(0, stream.tell() - _END_BYTES))
    tail = stream.read(_END_BYTES)
    if tail[-42:-38] == b"PK\x06\x07":
        return int(struct.unpack("<Q", tail[48:56])[0]) if tail[:4] == b"PK\x06\x06" else -1
    return int(struct.unpack("<I", tail[-6:-2])[0]) if tail[-22:-18] == b"PK\x05\x06" else -1


class Archive:
    """An open .pt2; ModelFileError where it is no whole archive of torch.export.save."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self.where = where
        try:
            self._zip = open_zip(stream)
        except DAMAGE as error:
            raise self.damaged(f"the archive cannot be read: {error}") from error
        infos = self._zip.infolist()
        roots = {info.filename.partition("/")[0] for info in infos}
        if len(roots) != 1 or len(infos) != len({info.filename for info in infos}):
            raise self.damaged("the archive has several roots or two members of one name")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
            raise self.damaged("the archive is compressed, which torch.export.save never does")
        self._infos = {info.filename.partition("/")[2]: info for info in infos}
        if "models/model.json" not in self._infos:
            what = f"a zip archive without models/model.json (it has {', '.join(sorted(self._infos)[:4])})"
            raise ModelFileError(
                what, where=where, remedy="give the .pt2 that torch.export.save writes; pickles are refused"
            )

    @property
    def names(self) -> List[str]:
        return list(self._infos)

    def read(self, name: str) -> bytes:
        """A member's bytes."""
        try:
            return self._zip.read(self._infos[name])
        except (KeyError, *DAMAGE) as error:
            raise self.damaged(f"its member {name} cannot be read: {error}") from error

    def json(self, name: str) -> Dict[str, Any]:
        """A member that holds one JSON object."""
        if name in self._infos and self._infos[name].file_size > _MAX_JSON_BYTES:
            raise self.damaged(f"its member {name} is larger than {_MAX_JSON_BYTES} bytes")
        try:
            found = json.loads(self.read(name))
        except (ValueError, RecursionError) as error:
            raise self.damaged(f"its member {name} is no JSON: {error}") from error
        if not isinstance(found, dict):
            raise self.damaged(f"its member {name} is no JSON object")
        return found

    def damaged(self, what: str) -> ModelFileError:
        """The error of an archive that does not hang together."""
        return ModelFileError(
            what, where=self.where, remedy="the file is truncated or damaged: copy or export it again"
        )


def inspect_pt2(source: Source, stream: BinaryIO) -> ModelInfo:
    """What the archive holds; `warnings` name what would run code when torch loads it."""
    archive = Archive(stream, source.where)
    try:
        graph, inputs, outputs = _signature(archive.json("models/model.json"))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise archive.damaged(f"models/model.json does not hang together: {error!r}") from error
    weights = _weights(archive, source)
    return ModelInfo(
        format="pt2", sha256=source.sha256(), size_bytes=source.size, inputs=inputs, outputs=outputs, opset=None,
        producer="torch.export", node_count=len(graph["nodes"]), weight_dtype=weights.dtype,
        warnings=_warnings(archive),
    )  # fmt: skip


def _signature(model: Dict[str, Any]) -> Tuple[Dict[str, Any], Tuple[TensorSpec, ...], Tuple[TensorSpec, ...]]:
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    given = [one["user_input"]["arg"] for one in signature["input_specs"] if "user_input" in one]
    got = [one["user_output"]["arg"] for one in signature["output_specs"] if "user_output" in one]
    values = graph["tensor_values"]
    inputs = tuple(_spec(one["as_tensor"]["name"], values) for one in given if "as_tensor" in one)
    outputs = tuple(_spec(one["as_tensor"]["name"], values) for one in got if "as_tensor" in one)
    if not outputs or not isinstance(graph["nodes"], list):
        raise ValueError("no output")
    return graph, inputs, outputs


def _spec(name: str, values: Dict[str, Any]) -> TensorSpec:
    sizes = tuple(int(one.get("as_int", -1)) for one in values[name]["sizes"])
    return TensorSpec(str(name), sizes, _TYPE.get(values[name]["dtype"], "unknown"))


def _weights(archive: Archive, source: Source) -> Weights:
    weights = Weights(source.limits)
    config = archive.json("data/weights/model_weights_config.json").get("config", {})
    for name, one in config.items() if isinstance(config, dict) else ():
        if not isinstance(one, dict) or one.get("use_pickle") or not isinstance(one.get("tensor_meta"), dict):
            continue
        dtype = _TYPE.get(one["tensor_meta"].get("dtype"), "unknown")
        content = archive.read(f"data/weights/{one.get('path_name')}")
        weights.claim(source, len(content), dtype)
        if dtype in ("float32", "float64", "float16") and len(content) % np.dtype(dtype).itemsize == 0:
            weights.judge(source, np.frombuffer(content, dtype), False, str(name))
    return weights


def _warnings(archive: Archive) -> Tuple[str, ...]:
    from harness.modelfile.pt2_code import code_in

    return tuple(f"{one}: the torch engine refuses the file unless trust_pickle = true" for one in code_in(archive))
