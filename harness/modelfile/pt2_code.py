"""What in a .pt2 archive would run code when torch loads it, found without loading anything.

From the source of torch 2.13 (torch/export/pt2_archive/_package.py, torch/_export/serde/serialize.py,
torch/export/_unlift.py): torch.export.load unpickles sample inputs (at first with weights_only=True and, where that
fails, without), weights and constants that say use_pickle, and custom objects; it loads compiled libraries; sizes are
evaluated as Python text, guards are executed, and an operator is looked up by any dotted name.
"""

from __future__ import annotations

import io
import pickletools
import re
from typing import Any, Dict, Iterator, List

from harness.modelfile.pt2_archive import Archive, open_zip

REMEDY = "export it again with torch.export.save of a static float net; trust_pickle = true only for files of your own"
_PLAIN = re.compile(
    r"archive_format|archive_version|byteorder|\.data/(version|serialization_id)|\.format_version|\.storage_alignment|"
    r"models/model\.json|data/weights/(weight_\d+|model_weights_config\.json)|"
    r"data/constants/(tensor_\d+|model_constants_config\.json)|data/sample_inputs/model\.pt"
)
_PLAIN_PICKLE = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/.+)"
)
_GLOBALS = re.compile(
    r"torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)|collections OrderedDict|"
    r"torch (\w+Storage|float\d+|u?int\d+|bool|bfloat16|device|Size)"
)
_OPERATOR = re.compile(
    r"torch\.ops\.(aten|prims|quantized_decomposed|torchvision)\.[a-zA-Z_]\w*\.[a-zA-Z]\w*|"
    r"_operator\.(getitem|add|sub|mul|floordiv)"
)
_SYMBOL = re.compile(r"Symbol\('([a-z]{1,2}\d+)'(?:, (?:positive|nonnegative|integer)=True)*\)")
_SIZE_NAME = re.compile(r"[a-z]{1,2}\d+|FloorDiv|Mod|Max|Min")


def code_in(archive: Archive) -> List[str]:
    """A sentence for everything that would run code when torch loads the archive, naming the member."""
    found = [
        f"its member {name} can run code when it is loaded" for name in archive.names if not _PLAIN.fullmatch(name)
    ]
    found += _pickled(archive, "data/weights/model_weights_config.json")
    found += _pickled(archive, "data/constants/model_constants_config.json")
    found += _sample_inputs(archive)
    found += [f"models/model.json {one}" for one in sorted(set(_text_code(archive.json("models/model.json"))))]
    return found


def _pickled(archive: Archive, config: str) -> List[str]:
    if config not in archive.names:
        return []
    entries = archive.json(config).get("config", {})
    folder = config.rpartition("/")[0]
    unsafe = [one for one in _objects(entries) if one.get("use_pickle") or not _is_payload(one.get("path_name"))]
    return [f"its member {folder}/{one.get('path_name')} is a pickle" for one in unsafe]


def _objects(entries: Any) -> Iterator[Dict[str, Any]]:
    for one in entries.values() if isinstance(entries, dict) else ():
        yield one if isinstance(one, dict) else {}


def _is_payload(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"(weight|tensor)_\d+", name) is not None


def _sample_inputs(archive: Archive) -> List[str]:
    name = "data/sample_inputs/model.pt"
    content = archive.read(name) if name in archive.names else b""
    if not content or _is_plain_pickle(content):
        return []
    return [f"its member {name} is a pickle of more than tensors"]


def _is_plain_pickle(content: bytes) -> bool:
    """True for the zip that torch.save writes of tensors: its pickle names no function but those that rebuild them."""
    try:
        inner = open_zip(io.BytesIO(content))
        names = inner.namelist()
        roots = {one.partition("/")[0] for one in names}
        if len(roots) != 1 or len(set(names)) != len(names) or not all(_PLAIN_PICKLE.fullmatch(one) for one in names):
            return False
        data = inner.read(next(one for one in names if one.endswith("/data.pkl")))
        operations = [(code.name, value) for code, value, _ in pickletools.genops(data)]
    except Exception:  # Damage raises whatever it hits first, and what cannot be read is not plain.
        return False
    forbidden = ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "BUILD")
    return all(
        bool(_GLOBALS.fullmatch(str(value))) if code == "GLOBAL" else code not in forbidden
        for code, value in operations
    )


def _text_code(node: Any) -> Iterator[str]:
    """What in the JSON is executed or evaluated: guards, sizes as text, operators, types of arguments."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        if isinstance(one, list):
            waiting.extend(one)
        if not isinstance(one, dict):
            continue
        waiting.extend(one.values())
        if one.get("guards_code"):
            yield "holds guards, which are Python text"
        if "expr_str" in one and not _is_size(one["expr_str"]):
            yield f"holds the size {one['expr_str']!r}, which is evaluated"
        if "target" in one and "inputs" in one and not _OPERATOR.fullmatch(str(one["target"])):
            yield f"calls {one['target']}"
        if any("__enum__" in str(one.get(key)) or "factory" in str(one.get(key)) for key in ("in_spec", "out_spec")):
            yield "imports a module for its arguments"


def _is_size(text: Any) -> bool:
    """True for sums and products of numbers and of symbols such as s0 or Symbol('s0', positive=True)."""
    text = _SYMBOL.sub(r"\1", text) if isinstance(text, str) else None
    plain = text is not None and re.fullmatch(r"[A-Za-z0-9\s+*(),/-]*", text) is not None and "**" not in text
    return plain and all(_SIZE_NAME.fullmatch(one) for one in re.findall(r"[A-Za-z]\w*", text))
