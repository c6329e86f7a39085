"""A repository of a team's own: its suites, devices and models, and pytest run in it as a person would."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.warm import Runner, run_warm

CHECKOUT = Path(__file__).resolve().parent.parent
SIMULATED = CHECKOUT / "suites" / "models" / "simulated_eyes"


# As strict as this project itself.
# Plug-ins that other packages bring, and that a team's repository need not have, are half of a session's start; to
# rewrite the assertions of a plug-in is the other half.
STRICT = """[pytest]
addopts = --assert=plain -p no:anyio -p no:hypothesispytest -p no:hydra_pytest -p no:jaxtyping -p no:kgb
filterwarnings =
    error
    default::pytest_benchmark.logger.PytestBenchmarkWarning
"""


@dataclass(frozen=True)
class Finished:
    """How one command ended; `output` is all that it wrote, `errors` what went to standard error."""

    status: int
    output: str
    report: Path
    errors: str = ""

    def results(self) -> dict[str, Any]:
        return json.loads((self.report / "results.json").read_text(encoding="utf-8"))

    def verdicts(self, metric: str) -> list[dict[str, Any]]:
        return [
            {**one, "case": case["key"]}
            for case in self.results()["cases"]
            for one in case["verdicts"]
            if one["metric"] == metric
        ]

    def measured(self) -> list[dict[str, Any]]:
        return [one for one in self.results()["cases"] if one["status"] == "measured"]


class Workspace:
    """A folder with suites/, devices/ and an empty suites/models/."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "suites" / "models"
        self.models.mkdir(parents=True)
        for suite in (CHECKOUT / "suites").glob("test_*.py"):
            shutil.copy(suite, folder / "suites")
        shutil.copytree(CHECKOUT / "devices", folder / "devices", ignore=shutil.ignore_patterns("*.local.toml"))
        (folder / "pytest.ini").write_text(STRICT, encoding="utf-8")

    def add_simulated(self, name: str = "eyes", **behaviour: Any) -> Path:
        """A simulated model; `behaviour` goes into both of its .sim files."""
        shutil.copytree(SIMULATED, self.models / name)
        for path in (self.models / name).glob("*.sim"):
            path.write_text(json.dumps({**json.loads(path.read_text()), **behaviour}), encoding="utf-8")
        return self.models / name

    def rewrite(self, path: str, old: str, new: str) -> None:
        """Replace the one occurrence of `old` in a file below the folder."""
        file = self.folder / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new), encoding="utf-8")

    def without_power(self) -> None:
        """No sensor of power on the simulated device: its processes run the plan's frames and no more."""
        profile = self.folder / "devices" / "simulated.toml"
        head, _, rest = profile.read_text(encoding="utf-8").partition("[power]")
        profile.write_text(head + rest[rest.index("[conditions]") :], encoding="utf-8")

    def add_suite(self, name: str, text: str) -> None:
        """A suite of the team's own."""
        (self.folder / "suites" / name).write_text(text, encoding="utf-8")

    def pytest(self, *arguments: str, timeout_s: float = 120, run: Runner = run_warm) -> Finished:
        """Run `pytest suites/` here, in a process of its own; `run_cold` starts it from nothing, as a person does."""
        report = self.folder / "report"
        shutil.rmtree(report, ignore_errors=True)
        return self._run("pytest", "suites/", f"--report={report}", *arguments, timeout_s=timeout_s, run=run)

    def pytest_in_place(self, *arguments: str, run: Runner = run_warm) -> Finished:
        """The same, and what lies in the report folder stays there."""
        return self._run("pytest", "suites/", *arguments, timeout_s=120, run=run)

    def harness(self, *arguments: str, run: Runner = run_warm) -> Finished:
        """Run the console command here."""
        return self._run("harness.cli", *arguments, run=run)

    def _run(self, *command: str, timeout_s: float = 120, run: Runner = run_warm) -> Finished:
        environment = {**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"}
        done = run(command, cwd=self.folder, env=environment, timeout=timeout_s)
        return Finished(done.returncode, done.stdout + done.stderr, self.folder / "report", done.stderr)
