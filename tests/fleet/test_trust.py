from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.labgridclient.trust import trusted, trusted_list
from tests.fleet.labgridlab import require_labgrid

ENVIRONMENT = "targets: {main: {resources: {RemotePlace: {name: b1}}}}\n"
NEEDS_ROOT = pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    require_labgrid()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("config/dms-harness", "repository/lab", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for folder in ("repository/lab", "elsewhere"):
        write(tmp_path / folder / "env.yaml", ENVIRONMENT)
    return tmp_path / "repository"


def write(path: Path, text: str, mode: int = 0o644) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_file_of_the_repository_is_taken(repository: Path) -> None:
    assert trusted("lab/env.yaml", repository) == repository / "lab/env.yaml"
    assert trusted(str(repository / "lab/env.yaml"), repository) == repository / "lab/env.yaml"


@pytest.mark.parametrize("name", ["../elsewhere/env.yaml", "{elsewhere}/env.yaml", "lab/link.yaml"])
def test_a_file_outside_is_only_taken_where_the_users_own_list_names_it(repository: Path, name: str) -> None:
    outside = repository.parent / "elsewhere"
    (repository / "lab/link.yaml").symlink_to(outside / "env.yaml")
    name = name.format(elsewhere=outside)
    with pytest.raises(ConfigError, match=f"outside of the repository.*write that path into {trusted_list()}"):
        trusted(name, repository)
    write(trusted_list(), f"/other/env.yaml\n{outside}/env.yaml\n")
    assert trusted(name, repository) == outside / "env.yaml"


def test_a_list_that_others_can_write_counts_for_nothing(repository: Path) -> None:
    outside = repository.parent / "elsewhere/env.yaml"
    write(trusted_list(), f"{outside}\n", 0o666)
    with pytest.raises(ConfigError, match="can be changed by others"):
        trusted(str(outside), repository)


@pytest.mark.parametrize("mode", [0o664, 0o646])
def test_a_file_that_others_can_write_is_refused(repository: Path, mode: int) -> None:
    (repository / "lab/env.yaml").chmod(mode)
    with pytest.raises(ConfigError, match=r"can be changed by others, and it runs code.*chmod go-w"):
        trusted("lab/env.yaml", repository)


def test_a_folder_that_others_can_write_is_refused_unless_it_is_sticky(repository: Path) -> None:
    (repository / "lab").chmod(0o777)
    with pytest.raises(ConfigError, match="can be changed by others"):
        trusted("lab/env.yaml", repository)
    (repository / "lab").chmod(0o1777)
    trusted("lab/env.yaml", repository)


@NEEDS_ROOT
def test_a_file_of_somebody_else_is_refused(repository: Path) -> None:
    os.chown(repository / "lab/env.yaml", 12345, 12345)
    with pytest.raises(ConfigError, match="can be changed by others"):
        trusted("lab/env.yaml", repository)


def test_what_it_imports_is_held_to_the_same_and_not_run_while_it_is_looked_at(repository: Path) -> None:
    write(repository / "lab/env.yaml", ENVIRONMENT + "imports: [strategy.py]\n")
    code = write(repository / "lab/strategy.py", "raise SystemExit('run')\n")
    trusted("lab/env.yaml", repository)
    code.chmod(0o666)
    with pytest.raises(ConfigError, match=r"'strategy\.py' can be changed by others"):
        trusted("lab/env.yaml", repository)
    code.unlink()
    with pytest.raises(ConfigError, match="imports what is not there"):
        trusted("lab/env.yaml", repository)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "targets: [",
        "- a list",
        "imports: 7",
        "imports: [7]",
        "imports: strategy.py",
        "imports: [!template $LG_X.py]",
    ],
)
def test_what_is_no_environment_file_is_refused(repository: Path, text: str) -> None:
    write(repository / "lab/env.yaml", text)
    with pytest.raises(ConfigError, match=r"environment file of labgrid|labgrid environment file"):
        trusted("lab/env.yaml", repository)


def test_a_file_that_is_not_there_is_named(repository: Path) -> None:
    with pytest.raises(ConfigError, match=r"no environment file 'lab/none\.yaml'"):
        trusted("lab/none.yaml", repository)
