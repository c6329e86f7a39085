"""The pytest plugin: options, one test per question and case, progress, the summary at the end.

Public fixtures: `device`, `case`, `runtime`, `measurement`, `labelled_measurement`, `check`.
docs/suites.md shows them in a suite of one's own.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.policy import letter, turns_red
from harness.profile import DeviceProfile, read_profile
from harness.progress import ProgressLine

if TYPE_CHECKING:
    from harness.provision import ProvisionedRuntime
    from harness.session import Session
    from harness.verdict import Measurement, Verdict

OUTCOME = "dms_outcome"
NOTHING_MEASURED = 5


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; the rest lives in reviewed files."""
    group = parser.getgroup("dms-harness", "driver-monitoring benchmark and regression harness")
    group.addoption("--device", default="host", metavar="NAME", help="device profile devices/NAME.toml (default: host)")
    group.addoption("--address", default="", metavar="USER@HOST", help="where the device is, over the profile's value")
    group.addoption(
        "--models", default="", metavar="A,B", help="names in suites/models or folders with a card (default: all)"
    )
    group.addoption("--plan", default="standard", help="smoke, standard or soak (default: standard)")
    group.addoption("--policy", default="pr", choices=("pr", "nightly", "release"), help="which outcomes are red")
    group.addoption("--report", default="", metavar="DIR", help="where results go (default: reports/<time>)")
    parser.addini("dms_devices", "folder of the device profiles", default="devices")
    parser.addini("dms_models", "folder of the model cards", default="suites/models")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and start with an empty state."""
    config.addinivalue_line("markers", "labelled: make the test only for cases whose card names a data set")
    config.addinivalue_line("markers", "derived: make the test only for variants with a parent")
    config.stash[_STATE] = _State(config)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case for every test that asks for a `case`."""
    if "case" in metafunc.fixturenames:
        cases = metafunc.config.stash[_STATE].cases(metafunc.definition)
        metafunc.parametrize("case", cases, ids=[case.key for case in cases], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A wrong configuration ends the session here with exit status 4, never as a skip."""
    state = config.stash[_STATE]
    if state.error is not None:
        raise pytest.UsageError(state.error.sentence)


def pytest_collection_finish(session: pytest.Session) -> None:
    """After -k and --lf: only the cases that are left will be measured."""
    state = session.config.stash[_STATE]
    if state.session is not None:
        state.expect(session.items)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to measure beside other workers."""
    if "case" in getattr(item, "fixturenames", ()) and _under_xdist(item.config):
        pytest.fail(
            "measuring under pytest-xdist is refused: workers beside each other would measure each other; "
            "run without -n, or one pytest process per device",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> DeviceProfile:
    """The profile of the device that is measured."""
    return _session(request).setup.profile


@pytest.fixture
def runtime(request: pytest.FixtureRequest, case: Case) -> ProvisionedRuntime:
    """The case's engine, provisioned from the device profile; each use is a fresh worker process."""
    from harness.provision import ProvisionedRuntime

    return ProvisionedRuntime(_session(request), case)


@pytest.fixture
def measurement(
    request: pytest.FixtureRequest, case: Case, record_property: Callable[[str, object], None]
) -> Measurement:
    """The case, measured once in this session; the test fails with a sentence where that is not possible."""
    from harness.report.junit import properties

    try:
        measured = _session(request).measurement(case)
    except HarnessError as error:
        pytest.fail(error.sentence, pytrace=False)
    for name, value in properties(measured):
        record_property(name, value)
    return measured


@pytest.fixture
def labelled_measurement(request: pytest.FixtureRequest, measurement: Measurement) -> Measurement:
    """The same with the score of its task over the labelled frames, and its parent's."""
    try:
        return _session(request).with_accuracy(measurement.case)
    except HarnessError as error:
        pytest.fail(error.sentence, pytrace=False)


@pytest.fixture
def check(
    request: pytest.FixtureRequest, measurement: Measurement, record_property: Callable[[str, object], None]
) -> Callable[[str], list[Verdict]]:
    """`check(metric)`: judge one metric of the case against every limit that it has; red where a gate breaks."""
    session, policy = _session(request), request.config.getoption("--policy")

    def judge(metric: str) -> list[Verdict]:
        try:
            verdicts = session.check(measurement.case, metric)
        except HarnessError as error:
            pytest.fail(error.sentence, pytrace=False)
        if not verdicts:
            pytest.skip(f"nothing limits {metric} here: reported only")
        for verdict in verdicts:
            record_property(OUTCOME if verdict.gate else "dms_advice", verdict.outcome.value)
            record_property(f"verdict_{metric}", verdict.sentence)
        red = [one for one in verdicts if turns_red(one, policy)]
        if red:
            lines = (f"{one.outcome}: {one.case.key} {one.metric}: {one.sentence}" for one in red)
            pytest.fail("\n".join(lines), pytrace=False)
        return verdicts

    return judge


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Carry the verdict from the test to its report."""
    outcome: Any = yield
    report = outcome.get_result()
    said = dict(report.user_properties).get(OUTCOME) if report.when == "call" and report.passed else None
    if said is not None:
        report.dms_outcome = said


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Show every outcome that is neither PASS nor FAIL under its own name."""
    said = getattr(report, "dms_outcome", "PASS")
    return None if said == "PASS" else (said.lower(), letter(said), said)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the results; a session that measured nothing is never green."""
    state = session.config.stash.get(_STATE, None)
    if state is None or state.session is None or session.config.option.collectonly:
        return
    state.progress.clear()
    state.write_report(session.config)
    if exitstatus == 0 and state.expected and not state.session.measurements:
        session.exitstatus = NOTHING_MEASURED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The tables, the sentences, and where the results are."""
    state = config.stash.get(_STATE, None)
    if state is None or state.session is None or config.option.collectonly:
        return
    from harness.report.terminal import terminal_lines

    for line in terminal_lines(state.session):
        terminalreporter.write_line(line)
    for path in state.written:
        terminalreporter.write_line(f"written: {os.path.relpath(path)}")
    if state.report_error:
        terminalreporter.write_line(f"report not written: {state.report_error}", red=True)


class _State:
    """What the plugin knows during one pytest run; the measuring session is made when a case is asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.session: Session | None = None
        self.error: ConfigError | None = None
        self.expected: set[Case] = set()
        self.written: list[Path] = []
        self.report_error = ""
        self.started = time.time()
        self.progress = ProgressLine(sys.__stderr__)

    def cases(self, definition: pytest.Item) -> list[Case]:
        """The cases that a test function is made for; empty after a configuration error."""
        try:
            session = self.open()
        except ConfigError as error:
            self.error = error
            return []
        return [case for case in session.cases if _made_for(case, session, definition)]

    def expect(self, items: list[pytest.Item]) -> None:
        """Note which cases will be measured, and which of them need their accuracy."""
        assert self.session is not None
        for item in items:
            case = getattr(getattr(item, "callspec", None), "params", {}).get("case")
            if case is not None:
                self.expected.add(case)
                if item.get_closest_marker("labelled"):
                    self.session.accuracy_wanted.add(case)
        self.progress.expect(len(self.expected))

    def write_report(self, config: pytest.Config) -> None:
        from harness.report import write_all
        from harness.report.markdown import append_step_summary

        assert self.session is not None
        try:
            self.written = write_all(
                self.session,
                self.folder,
                started=self.started,
                command="pytest " + shlex.join(config.invocation_params.args),
            )
            append_step_summary(self.session, os.environ)
        except HarnessError as error:
            self.report_error = error.sentence

    def open(self) -> Session:
        """The measuring session, made at the first call; ConfigError every time where that fails."""
        if self.error is not None:
            raise self.error
        if self.session is None:
            self.session = self._new_session()
        return self.session

    def _new_session(self) -> Session:
        from harness.model import find_cards
        from harness.plans import plan_named
        from harness.session import Session, Setup

        option, root = self.config.getoption, self.config.rootpath
        profile = read_profile(option("--device"), root / self.config.getini("dms_devices"), option("--address"))
        models = [name for name in option("--models").split(",") if name]
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.started))
        self.folder = Path(option("--report") or root / "reports" / f"{stamp}-{profile.name}-{os.getpid()}")
        setup = Setup(
            profile=profile, cards=find_cards(models, root / self.config.getini("dms_models")),
            plan=plan_named(option("--plan")), work=self.folder / "runs", cache=root / ".cache" / "dms-harness",
        )  # fmt: skip
        return Session(setup=setup, progress=self.progress)


_STATE = pytest.StashKey[_State]()


def _session(request: pytest.FixtureRequest) -> Session:
    return request.config.stash[_STATE].open()


def _made_for(case: Case, session: Session, definition: pytest.Item) -> bool:
    card = session.cases[case]
    if definition.get_closest_marker("labelled") and not card.dataset:
        return False
    return not definition.get_closest_marker("derived") or bool(card.variants[case.variant].parent)


def _under_xdist(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") or bool(getattr(config.option, "numprocesses", None))
