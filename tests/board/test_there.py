"""What runs on the board beside the worker: nothing outside its folder, and nobody else's folder."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import sys
import time

import pytest

from harness.board import there
from harness.board.asking import SOURCE


@pytest.fixture
def base(tmp_path):
    return there.greet({"base": str(tmp_path / "board")})["base"]


def begun(base, **changes):
    asked = {"base": base, "run": "r1", "files": {}, "code": "code/abc", "texts": {}, "ended": [], "room_bytes": 0}
    return there.begin({**asked, **changes})


HOSTILE = ["../x", "runs/../../x", "/etc/passwd", "", ".", "..", "a//b", "a/./b", ".hidden", "a b", "a\nb"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_out_of_the_folder_is_refused(base, name):
    with pytest.raises(ValueError, match="is no plain name"):
        begun(base, run=name)
    with pytest.raises(ValueError, match="is no plain name"):
        begun(base, files={name: 1})
    with pytest.raises(ValueError, match="is no plain name"):
        begun(base, run="r2", texts={name: ""})
    with pytest.raises(ValueError, match="is no plain name"):
        there.collect({"base": base, "run": "r2", "names": [name]})


def test_the_folder_belongs_to_this_user_alone(base):
    assert os.stat(base).st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make another user's folder")
def test_a_folder_of_another_user_is_left_alone_and_one_beside_it_is_used(tmp_path):
    other = tmp_path / "board"
    other.mkdir()
    os.chown(other, 12345, 12345)
    found = there.greet({"base": str(other)})
    assert found["base"] == f"{other}-0"
    assert not list(other.iterdir())


def test_a_link_in_the_place_of_the_folder_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "board").symlink_to(tmp_path / "elsewhere")
    assert there.greet({"base": str(tmp_path / "board")})["base"] == f"{tmp_path / 'board'}-{os.getuid()}"
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(("size", "missing"), [(3, []), (4, ["store/k/f"]), (0, ["store/k/f"])])
def test_a_file_of_another_size_is_missing(base, tmp_path, size, missing):
    path = tmp_path / "board" / "store" / "k"
    path.mkdir()
    (path / "f").write_bytes(b"abc")
    assert begun(base, files={"store/k/f": size})["missing"] == missing


@pytest.mark.parametrize(
    ("lacks", "started"),
    [({}, True), ({"files": {"store/k/f": 3}}, False), ({"code": "code/abc"}, False), ({"room_bytes": 2**80}, False)],
    ids=["nothing", "a file", "the code", "room"],
)
def test_a_run_is_started_at_once_where_nothing_is_missing(base, tmp_path, lacks, started):
    (tmp_path / "board" / "code" / "there").mkdir()
    asked = {"code": "code/there", "launch": ["touch", f"{there.BASE}/runs/r1/on"], **lacks}
    assert begun(base, **asked)["started"] is started
    assert (tmp_path / "board" / "runs" / "r1" / "on").exists() is started


def test_what_a_run_that_does_not_start_says_is_told(base, tmp_path):
    (tmp_path / "board" / "code" / "there").mkdir()
    with pytest.raises(OSError, match="cannot be started: no room for it"):
        begun(base, code="code/there", launch=["sh", "-c", "echo so; echo no room for it >&2; exit 3"])


def test_texts_get_the_name_of_the_folder_that_is_used(base, tmp_path):
    begun(base, texts={"job.json": f'"{there.BASE}/store"'})
    assert json.loads((tmp_path / "board/runs/r1/job.json").read_text()) == f"{base}/store"


def test_runs_that_nobody_fetched_for_days_are_removed(base, tmp_path):
    for name, age_s in (("old", there.OLD_S + 60), ("young", 60)):
        (tmp_path / "board/runs" / name).mkdir()
        os.utime(tmp_path / "board/runs" / name, (time.time() - age_s,) * 2)
    there.greet({"base": base})
    assert [one.name for one in (tmp_path / "board/runs").iterdir()] == ["young"]


def test_an_archive_that_is_not_what_its_name_says_is_refused(base):
    content = b"no archive"
    asked = {"base": base, "zip": base64.b64encode(content).decode()}
    with pytest.raises(ValueError, match="not what its name says"):
        there.unpack({**asked, "code": "code/" + "0" * 64})
    with pytest.raises(subprocess.CalledProcessError):
        there.unpack({**asked, "code": "code/" + hashlib.sha256(content).hexdigest()})


def test_only_the_worker_of_a_run_is_ended(base):
    script = "import sys, time; print('on', flush=True); time.sleep(60)"
    words = [[sys.executable, "-c", script, f"{base}/runs/r1"]]
    bystander = subprocess.Popen(words[0], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert bystander.stdout is not None
        bystander.stdout.readline()
        assert there.end({"base": base, "ended": ["r1"]}) == {"killed": []}
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.communicate()


def test_a_lease_that_nobody_uses_can_be_voided_and_a_lock_that_is_held_cannot(base, tmp_path):
    path = tmp_path / "lock"
    assert there.lock({"lock": str(path)}) == {"held": False, "lease": ""}
    path.write_text('{"who": "somebody"}')
    assert there.lock({"lock": str(path)})["lease"] == '{"who": "somebody"}'
    with open(path) as file:
        there.fcntl.flock(file, there.fcntl.LOCK_EX)
        assert there.lock({"lock": str(path), "free": True})["held"]
        assert (tmp_path / "board" / "store").is_dir()
        assert there.prune({"base": base, "lock": str(path)})["held"]
        assert (tmp_path / "board" / "store").is_dir()
    assert path.read_text()
    there.lock({"lock": str(path), "free": True})
    assert path.read_text() == ""
    there.prune({"base": base, "lock": str(path)})
    assert not (tmp_path / "board" / "store").exists()


def test_its_text_alone_answers_on_standard_input(tmp_path):
    call = f"{SOURCE}\nanswer({{'what': 'greet', 'base': {str(tmp_path / 'b')!r}}})\n"
    done = subprocess.run([sys.executable, "-I", "-"], input=call.encode(), capture_output=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["python"] == list(sys.version_info[:2])
    assert found["boot_id"]
