"""A runner that follows docs/external-runner.md but for one fault: `python misbehaving.py FAULT`.

Standard library only. It adds one to each of four float32 numbers.
"""

import hashlib
import json
import mmap
import os
import signal
import struct
import subprocess
import sys
import time

FAULT = sys.argv[1]
TENSOR = {"name": "x", "dtype": "float32", "shape": [1, 4]}
HELLO = {
    "op": "hello", "protocol": 1, "name": "misbehaving", "engine": "adder", "version": "1",
    "formats": ["toy"], "exchanges": ["shared_memory"],
}  # fmt: skip
LOADED = {"op": "loaded", "inputs": [TENSOR], "outputs": [{**TENSOR, "name": "y"}], "facts": {"precision": "float32"}}
STATS = {"op": "stats", "values": [{"name": "chip", "value": 51.5, "unit": "C"}]}
NAMES = {"exchange": "ready", "ping": "pong", "bye": "bye"}

# The fault is in the answer to this request: fields that replace those of the right one.
REPLACED = {
    "other version": ("hello", {"protocol": 7}),
    "version as text": ("hello", {"protocol": "1"}),
    "other format": ("hello", {"formats": ["onnx"]}),
    "no exchange": ("hello", {"exchanges": ["pigeon"]}),
    "an exchange of the future first": ("hello", {"exchanges": ["pigeon", "shared_memory"]}),
    "other answer": ("load", {"op": "pong"}),
    "unknown dtype": ("load", {"outputs": [{**TENSOR, "dtype": "complex64"}]}),
    "open shape": ("load", {"outputs": [{**TENSOR, "shape": [-1, 4]}]}),
    "endless shape": ("load", {"outputs": [{**TENSOR, "shape": [1 << 40]}]}),
    "two of a name": ("load", {"inputs": [TENSOR, TENSOR]}),
    "no outputs": ("load", {"outputs": []}),
    "impossible shares": ("load", {"facts": {"placement": {"npu": 1.5}}}),
    "shares as text": ("load", {"facts": {"placement": {"npu": "all"}}}),
    "on the cpu": ("load", {"facts": {"placement": {"cpu": 1.0}}}),
    "wrong frame": ("infer", {"frame": 999}),
    "wrong size": ("infer", {"bytes": 12}),
    "negative time": ("infer", {"infer_ns": -5}),
    "no unit": ("stats", {"values": [{"name": "chip", "value": 1}]}),
    "refused load": ("load", {"op": "error", "what": "of another chip", "where": "n.toy", "remedy": "compile it"}),
    "refused frame": ("infer", {"op": "error", "what": "the NPU hangs", "where": "NPU", "remedy": "power it off"}),
    "bare error": ("load", {"op": "error"}),
}  # fmt: skip


def write(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def sleep():
    while True:
        time.sleep(60)


def flood(stream, data):
    while True:
        os.write(stream, data)


def end(status):
    sys.stderr.write("fatal error: the NPU is on fire\n")
    sys.stderr.flush()
    os._exit(status)


# Done instead of answering: (request, what).
DONE = {
    "silent at hello": ("hello", sleep),
    "silent at load": ("load", sleep),
    "silent at infer": ("infer", sleep),
    "half a line": ("infer", lambda: (write(b'{"op":"don'), sleep())),
    "half a line and gone": ("infer", lambda: (write(b'{"op":"don'), os._exit(0))),
    "rubbish": ("infer", lambda: (write(b"NPU ready\n"), sleep())),
    "a number": ("infer", lambda: (write(b"17\n"), sleep())),
    "not a number": ("infer", lambda: (write(b'{"op":"done","frame":NaN}\n'), sleep())),
    "deep rubbish": ("infer", lambda: (write(b"[" * 60000 + b"\n"), sleep())),
    "no utf-8": ("infer", lambda: (write(b'{"op":"\xff"}\n'), sleep())),
    "flooded stdout": ("infer", lambda: flood(1, b"rubbish " * 1000)),
    "flooded stdout with lines": ("infer", lambda: flood(1, b"rubbish\n" * 1000)),
    "flooded stderr and silent": ("infer", lambda: flood(2, b"rubbish\n" * 1000)),
    "killed": ("infer", lambda: os.kill(os.getpid(), signal.SIGKILL)),
    "crashed": ("infer", lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    "status 3": ("infer", lambda: end(3)),
    "closed stdout": ("infer", lambda: (os.close(1), sleep())),
    "gone at load": ("load", lambda: end(1)),
}  # fmt: skip


def plus_one(value):
    return value + 1


def remember(value, seen=[0.0]):  # noqa: B006 - it must remember
    seen[0] += 1
    return value + seen[0]


# What is computed instead.
ANSWERS = {"constant": lambda value: 1.0, "not finite": lambda value: float("nan"), "remembers": remember}


def answer(request):
    op = request["op"]
    if op == "exchange":
        sides = [(request[f"{side}_path"], request[f"{side}_bytes"]) for side in ("input", "output")]
        answer.files = [mmap.mmap(os.open(path, os.O_RDWR), size) for path, size in sides]
    if op == "infer" and FAULT != "never written":
        taken, given = answer.files
        end = 8 if FAULT == "half an answer" else 16
        given[:end] = struct.pack("<4f", *map(ANSWERS.get(FAULT, plus_one), struct.unpack("<4f", taken[:16])))[:end]
    if op == "load" and FAULT == "wrong hash":
        with open(request["path"], "rb") as file:
            if request["sha256"] == hashlib.sha256(file.read()).hexdigest():
                return {"op": "error", "what": "the file is not the one that was meant"}
    done = {"op": "done", "frame": request.get("frame"), "bytes": 16}
    right = {"hello": HELLO, "load": LOADED, "infer": done, "stats": STATS}.get(op) or {"op": NAMES[op]}
    where, fields = REPLACED.get(FAULT, ("", {}))
    return {**right, **fields} if op == where else right


def main():
    if FAULT == "with a child":
        subprocess.Popen(["sleep", "1000"])
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if FAULT == "flooded stderr":
            os.write(2, b"one more line of a talkative engine\n" * 20000)
        where, what = DONE.get(FAULT, ("", None))
        if request["op"] == where:
            what()
        text = json.dumps(answer(request)).encode() + b"\n"
        write(text * 2 if FAULT == "answers twice" and request["op"] == "infer" else text)
        if request["op"] == "bye" and FAULT not in ("stays", "status 9", "last word"):
            return
        if request["op"] == "bye" and FAULT == "status 9":
            sys.exit(9)
        if request["op"] == "bye" and FAULT == "last word":
            write(b"bye bye\n")
            return


if __name__ == "__main__":
    main()
    if FAULT == "stays":
        sleep()
