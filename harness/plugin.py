"""The pytest plugin: options, one test per question and case, progress, the summary at the end.

Public fixtures: `device`, `case`, `runtime`, `measurement`, `labelled_measurement`, `check`,
`check_the_rest`. docs/suites.md shows them in a suite of one's own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from harness import unattended
from harness.case import Case
from harness.errors import ConfigError, HarnessError
from harness.invocation import Invocation, case_of
from harness.policy import letter, turns_red, worst
from harness.profile import DeviceProfile

if TYPE_CHECKING:
    from harness.measurement import Measurement
    from harness.provision import ProvisionedRuntime
    from harness.session import Session
    from harness.verdict import Verdict

OUTCOME = "dms_outcome"
FAILED, NOTHING_MEASURED = 1, 5
_INVOCATION = pytest.StashKey[Invocation]()
Properties = list[tuple[str, str]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options; the rest lives in reviewed files."""
    group = parser.getgroup("dms-harness", "driver-monitoring benchmark and regression harness")
    group.addoption("--device", default="host", metavar="NAME", help="device profile devices/NAME.toml (default: host)")
    group.addoption("--address", default="", metavar="USER@HOST", help="where the device is, over the profile's value")
    group.addoption(
        "--models", default="", metavar="A,B",
        help="names of models or pipelines in suites, or folders with a card (default: all)",
    )  # fmt: skip
    group.addoption("--plan", default="standard", metavar="NAME", help="smoke, standard (default), camera (100 s of a "
        "30 fps camera), soak (10 min of it) or soak-60")  # fmt: skip
    group.addoption("--camera", default="", metavar="FPS[:POLICY]", help="have a camera send the frames: 30, 60:queue, "
        "or a recording's timestamps.csv:drop-stale; policies drop-stale (default), queue, block")  # fmt: skip
    group.addoption("--policy", default="pr", choices=("pr", "nightly", "release"), help="which outcomes are red")
    group.addoption(
        "--against", default="", metavar="BUILD",
        help="compare with another build, in turn: a model file, a folder with model cards, or a git revision",
    )  # fmt: skip
    group.addoption(
        "--history", default="", metavar="WHERE", help="an SQLite file, a database URL, or none "
        "(default: reports/history.sqlite)",
    )  # fmt: skip
    group.addoption(
        "--pin-clocks", action="store_true", help="hold the device's clocks fixed meanwhile (needs root); put back at "
        "the end, also after a crash",
    )  # fmt: skip
    group.addoption(
        "--timeline", action="store_true", help="write per case a trace for Perfetto or Chrome, and a figure of "
        "latency, power, temperature and clocks",
    )  # fmt: skip
    unattended.add_options(group)
    group.addoption("--report", default="", metavar="DIR", help="where results go (default: reports/<time>)")
    parser.addini("dms_devices", "folder of the device profiles", default="devices")
    parser.addini("dms_baselines", "folder of the accepted baselines", default="baselines")
    parser.addini("dms_models", "folder of the model cards", default="suites/models")
    parser.addini("dms_trends", "write the trend report at the end of a run", type="bool", default=True)
    parser.addini("dms_commit_url", "address of a commit in the trend report, with {commit} in it", default="")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers; nothing is read before a case is asked for."""
    config.addinivalue_line("markers", "labelled: make the test only for cases whose card names labels")
    config.addinivalue_line("markers", "paired: make the test only where --against names another build")
    config.addinivalue_line("markers", "camera: make the test only where a camera sends the frames")
    config.addinivalue_line("markers", "soak: make the test only under a plan of ten minutes or more")
    config.addinivalue_line("markers", "cascade: make the test only for pipelines of models")
    config.addinivalue_line("markers", "derived: make the test only for variants with a parent")
    config.stash[_INVOCATION] = invocation = Invocation(config)
    unattended.register(config, invocation)
    invocation.reach_devices()
    config.add_cleanup(invocation.release_devices)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test per case for every test that asks for a `case`; last, to see whether others gave it one."""
    if _asks_for_our_case(metafunc):
        cases = metafunc.config.stash[_INVOCATION].cases(metafunc.definition)
        metafunc.parametrize("case", cases, ids=[case.key for case in cases], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A wrong configuration ends the session here with exit status 4, never as a skip."""
    error = config.stash[_INVOCATION].error
    if error is not None:
        raise pytest.UsageError(error.sentence)
    unattended.in_case_order(items)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """A run that leaves tests out says nothing about what it has not."""
    if items:
        items[0].config.stash[_INVOCATION].leave_out(items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """After -k and --lf: only the cases that are left will be measured."""
    session.config.stash[_INVOCATION].expect(session.items)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Iterator[None]:
    """With --pin-clocks the clocks stand still while cases are measured; a board is kept no longer than that."""
    invocation = session.config.stash[_INVOCATION]
    wanted = session.config.getoption("--pin-clocks") and invocation.expected and not session.config.option.collectonly
    try:
        with invocation.pinned_clocks() if wanted else nullcontext():
            yield
    except HarnessError as error:
        invocation.session = None  # nothing was measured, so there is nothing to report
        raise pytest.UsageError(error.sentence) from error
    finally:
        invocation.release_devices()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Refuse to measure beside other workers."""
    if case_of(item) is not None and _under_xdist(item.config):
        pytest.fail(
            "measuring under pytest-xdist is refused: workers beside each other would measure each other; "
            "run without -n, or one pytest process per device",
            pytrace=False,
        )


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> DeviceProfile:
    """The profile of the device that is measured."""
    try:
        return _session(request).setup.profile
    except ConfigError as error:
        pytest.exit(error.sentence, returncode=pytest.ExitCode.USAGE_ERROR)


@pytest.fixture(scope="session")
def case(request: pytest.FixtureRequest) -> Case:
    """Device, model, variant and runtime; a test that asks for it runs once per case."""
    found: Case = request.param
    return found


@pytest.fixture
def runtime(request: pytest.FixtureRequest, case: Case) -> ProvisionedRuntime:
    """The case's engine, provisioned from the device profile; each use is a fresh worker process."""
    from harness.provision import ProvisionedRuntime

    return ProvisionedRuntime(_session(request), case)


@pytest.fixture
def measurement(request: pytest.FixtureRequest, case: Case) -> Measurement:
    """The case, measured once in this session; the test fails with a sentence where that is not possible."""
    from harness.report.junit import properties

    measured = _session(request).measurement(case)
    _record(request, properties(measured))
    return measured


@pytest.fixture
def labelled_measurement(request: pytest.FixtureRequest, measurement: Measurement) -> Measurement:
    """The same with the score of its task over the labelled frames."""
    from harness.report.junit import score_properties

    measured = _session(request).with_accuracy(measurement.case)
    _record(request, score_properties(measured))
    return measured


@pytest.fixture
def check(request: pytest.FixtureRequest, measurement: Measurement) -> Callable[[str], list[Verdict]]:
    """`check(metric)`: judge one metric of the case against every limit that it has; red where a gate breaks.

    `check("baseline")` and `check("reference")` compare with the accepted baseline and with the build of --against.
    """
    return lambda metric: _judge(request, measurement.case, [metric])


@pytest.fixture
def check_the_rest(request: pytest.FixtureRequest, measurement: Measurement) -> Callable[[], list[Verdict]]:
    """`check_the_rest()`: judge every metric that profile or card limits and that no test asked for before."""
    case, session = measurement.case, _session(request)

    def judge() -> list[Verdict]:
        left = session.unjudged(case)
        return _judge(request, case, left) if left else []

    return judge


def _judge(request: pytest.FixtureRequest, case: Case, metrics: list[str]) -> list[Verdict]:
    from harness.report.junit import score_properties

    session, policy = _session(request), request.config.stash[_INVOCATION].policy
    verdicts: list[Verdict] = []
    errors: list[HarnessError] = []
    for metric in metrics:
        try:
            verdicts += session.check(case, metric)
        except HarnessError as error:
            errors.append(error)
    if not verdicts and not errors:
        pytest.skip(f"nothing limits {', '.join(metrics)} here: reported only")
    if any(one.metric.startswith(("accuracy_", "label_")) for one in verdicts):
        _record(request, score_properties(session.measurements[case]))
    if verdicts:
        _record(request, _verdict_properties(verdicts))
    red = [one for one in verdicts if turns_red(one, policy)]
    if red or errors:
        lines = (f"{one.outcome}: {one.case.key} {one.metric}: {one.sentence}" for one in red)
        unattended.note_red(request.node, red, errors)
        pytest.fail("\n".join([*lines, *(error.sentence for error in errors)]), pytrace=False)
    return verdicts


def _verdict_properties(verdicts: list[Verdict]) -> Properties:
    gates = [one.outcome for one in verdicts if one.gate]
    name, outcome = (OUTCOME, worst(gates)) if gates else ("dms_advice", worst(one.outcome for one in verdicts))
    return [(name, outcome.value), *((f"verdict_{one.metric}", one.sentence) for one in verdicts)]


def _record(request: pytest.FixtureRequest, properties: Properties) -> None:
    # Not record_property: it warns under the xunit2 family, although JUnit files carry these all the same.
    known = request.node.user_properties
    known.extend(pair for pair in properties if pair not in known)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Carry the verdict from the test to its report; an error of ours is its sentence, without a traceback."""
    outcome: Any = yield
    report = outcome.get_result()
    said = [value for name, value in report.user_properties if name == OUTCOME]
    if said and report.when == "call" and report.passed:
        report.dms_outcome = worst(said)
    if call.excinfo is not None and isinstance(call.excinfo.value, HarnessError):
        report.longrepr = call.excinfo.value.sentence


def pytest_report_teststatus(report: Any) -> tuple[str, str, str] | None:
    """Show every outcome that is neither PASS nor FAIL under its own name."""
    said = getattr(report, "dms_outcome", "PASS")
    return None if said == "PASS" else (said.lower(), letter(said), said)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the results; a session that measured nothing, or lost its results, is never green."""
    invocation = session.config.stash.get(_INVOCATION, None)
    if invocation is None or invocation.session is None or session.config.option.collectonly:
        return
    invocation.progress.clear()
    invocation.end(interrupted=exitstatus == pytest.ExitCode.INTERRUPTED)
    if exitstatus == 0 and invocation.measured_nothing():
        session.exitstatus = NOTHING_MEASURED
    elif exitstatus == 0 and invocation.report_error:
        session.exitstatus = FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The tables, the sentences, and where the results are."""
    invocation = config.stash.get(_INVOCATION, None)
    if invocation is None or invocation.session is None or config.option.collectonly:
        return
    from harness.report.terminal import terminal_lines

    for line in terminal_lines(invocation.session):
        terminalreporter.write_line(line)
    for path in invocation.written:
        terminalreporter.write_line(f"written: {os.path.relpath(path)}")
    if invocation.report_error:
        terminalreporter.write_line(f"not written: {invocation.report_error}", red=True)


def _session(request: pytest.FixtureRequest) -> Session:
    return request.config.stash[_INVOCATION].open()


def _asks_for_our_case(metafunc: pytest.Metafunc) -> bool:
    """Not a team's own fixture or parameter that happens to have this name."""
    if "case" not in metafunc.fixturenames:
        return False
    definitions = metafunc._arg2fixturedefs.get("case", ())
    ours = bool(definitions) and definitions[-1].func.__module__ == __name__
    return ours and not any("case" in call.params for call in metafunc._calls)


def _under_xdist(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput") or bool(getattr(config.option, "numprocesses", None))
