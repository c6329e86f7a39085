"""What one pytest invocation measures: the session behind its tests, made when a case is asked for."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import pytest

from harness.board.link import STATE, Links, links
from harness.case import Case
from harness.errors import ConfigError, HarnessError, InfraError
from harness.history import DEFAULT_LOCATION
from harness.identity import require_present, runtimes_in_use
from harness.policy import TAILS, Policy
from harness.profile import DeviceProfile, read_profile
from harness.progress import ProgressLine
from harness.soakplan import is_soak

if TYPE_CHECKING:
    from harness.prepare import Setup
    from harness.session import Session


class Invocation:
    """The options of one pytest run and all that follows from them. `error` is a wrong configuration.

    selected: a choice of tests left out some that would have measured.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.session: Session | None = None
        self.error: ConfigError | None = None
        self.expected: set[Case] = set()
        self.selected = _names_tests(config)
        self.written: list[Path] = []
        self.report_error = ""
        self.folder = Path()
        self.started = time.time()
        self.progress = ProgressLine(_own_stderr())
        self._links = ExitStack()

    @property
    def policy(self) -> Policy:
        """Which outcomes are red."""
        policy: Policy = self.config.getoption("--policy")
        return policy

    def open(self) -> Session:
        """The measuring session, made at the first call; ConfigError every time where that fails."""
        if self.error is not None:
            raise self.error
        if self.session is None:
            try:
                self.session = self._new_session()
            except ConfigError as error:
                self.error = error
                raise
        return self.session

    def cases(self, definition: pytest.Item) -> list[Case]:
        """The cases that a test function is made for; empty after a configuration error."""
        try:
            session = self.open()
        except ConfigError:
            return []
        return [case for case in session.cases if _made_for(case, session, definition)]

    def expect(self, items: Iterable[pytest.Item]) -> None:
        """Note which cases will be measured, and which of them need their accuracy."""
        for item in items:
            case = case_of(item)
            if case is not None and self.session is not None:
                self.expected.add(case)
                self.session.asked.add(case)
                if item.get_closest_marker("labelled"):
                    self.session.accuracy_wanted.add(case)
        self.progress.expect(len(self.expected))

    def leave_out(self, items: Iterable[pytest.Item]) -> None:
        """Note that these tests will not run, by -k, -m, --deselect or the like."""
        self.selected |= any(case_of(item) is not None for item in items)

    def measured_nothing(self) -> bool:
        """True where cases were asked for and none was measured, or under a strict policy none was judged."""
        if self.session is None or not self.expected:
            return False
        judged = any(one.gate for one in self.session.verdicts)
        return not self.session.measurements or (self.policy != "pr" and not judged)

    def reach_devices(self) -> None:
        """From now on a device that is not this machine is reached once, and kept until `release_devices`."""
        root = self.config.rootpath
        devices = root / self.config.getini("dms_devices")
        self._links.enter_context(links(Links(state=root / STATE, devices=devices)))

    def release_devices(self) -> None:
        """Give back what is held of them; a second time does nothing."""
        self._links.close()

    def pinned_clocks(self) -> AbstractContextManager[str]:
        """The clocks of the device held fixed; ConfigError for a device that has none."""
        from harness.clockguard import pinned_clocks

        assert self.session is not None
        setup = self.session.setup
        setup.profile.require_here("--pin-clocks")
        if setup.profile.simulated:
            raise ConfigError("a simulated device has no clocks to pin", where="--pin-clocks")
        setup.cache.mkdir(parents=True, exist_ok=True)
        return pinned_clocks(setup.cache / "clocks.json")

    def end(self, *, interrupted: bool) -> None:
        """Keep the sessions, then write the results, then the trend report; what goes wrong is in `report_error`."""
        assert self.session is not None
        self.session.interrupted = interrupted
        remembered = self._done(self._remember)
        self._done(self._write_report)
        if remembered:
            self._done(self._write_trends)
        else:
            self.note("the trends lack this run and are not written")

    def _done(self, step: Callable[[Session], None]) -> bool:
        """Take the step; False where it failed, and then why is noted."""
        assert self.session is not None
        try:
            step(self.session)
        except HarnessError as error:
            self.note(error.sentence)
            return False
        return True

    def note(self, sentence: str) -> None:
        """Something of the results was lost, and why: such a session is never green."""
        if sentence not in self.report_error:
            self.report_error = "; ".join(filter(None, [self.report_error, sentence]))

    def _remember(self, session: Session) -> None:
        from harness.remember import remember

        remember(session, command_of(self.config), policy=self.policy, selected=self.selected)

    def _write_report(self, session: Session) -> None:
        from harness.report import write_all, write_traces
        from harness.report.markdown import append_step_summary

        self.written = write_all(session, self.folder, started=self.started, command=command_of(self.config))
        if self.config.getoption("--timeline"):
            for path in write_traces(session, self.folder):
                self.written.append(path)
        append_step_summary(session, os.environ)

    def _write_trends(self, session: Session) -> None:
        """The whole history, with what was just measured; nothing where nobody wants sessions kept."""
        if not session.setup.history or not self.config.getini("dms_trends"):
            return
        try:
            self.written += self._trend_files(session)
        except HarnessError:
            raise
        except Exception as error:
            # A fault of the page must not cost the run the rest of its output.
            what = f"the trend report cannot be made: {type(error).__name__}"
            raise HarnessError(what, remedy="harness report says more") from error

    def _trend_files(self, session: Session) -> list[Path]:
        from harness.history import open_history
        from harness.history.location import parse_location
        from harness.trendreport import read_trends
        from harness.trendreport.write import PAGE, Targets, write_files

        location = session.setup.history
        with open_history(location) as history:
            trends = read_trends(history, root=session.setup.root)
        kept = parse_location(location).path
        targets = Targets(page=self.folder / PAGE, history=kept, option="--report")
        return write_files(trends, targets, commit_url=self.config.getini("dms_commit_url"))[0]

    def _new_session(self) -> Session:
        from harness.pipelinecard import cards_named
        from harness.plans import plan_named, plan_with_camera
        from harness.prepare import Setup
        from harness.session import Session

        option, root = self.config.getoption, self.config.rootpath
        _check_commit_url(self.config.getini("dms_commit_url"))
        devices = root / self.config.getini("dms_devices")
        profile = read_profile(option("--device"), devices, option("--address"))
        models = _names(option("--models"))
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.started))
        default = root / "reports" / f"{stamp}-{profile.name}-{os.getpid()}"
        given = option("--report") or option("--resume")
        self.folder = Path(given).absolute() if given else default
        if str(root) not in sys.path:
            sys.path.append(str(root))  # for the score functions of a team's own package
        setup = Setup(
            profile=profile, cards=cards_named(models, root / self.config.getini("dms_models")), named=bool(models),
            plan=plan_with_camera(plan_named(option("--plan"), profile.judges_speed), option("--camera")),
            work=self.folder / "runs",
            cache=root / ".cache" / "dms-harness", root=root, tail=TAILS[self.policy],
            baselines=root / self.config.getini("dms_baselines"),
            history=_history(option("--history"), root), against=option("--against"),
        )  # fmt: skip
        out_of_reach = _checked(profile, devices, setup)
        session = Session(setup=setup, progress=self.progress)
        if out_of_reach is not None:
            session.errors.update(dict.fromkeys(session.cases, out_of_reach))
        return session


def _checked(profile: DeviceProfile, devices: Path, setup: Setup) -> InfraError | None:
    """Why the device could not be asked what it is and has; ConfigError where it is another one or lacks something."""
    try:
        require_present(profile, devices, runtimes_in_use(setup))
    except InfraError as error:
        return error
    return None


def case_of(item: pytest.Item) -> Case | None:
    """The case that a test is made for; None for a test that measures nothing."""
    found = getattr(getattr(item, "callspec", None), "params", {}).get("case")
    return found if isinstance(found, Case) else None


def _names(models: str) -> list[str]:
    """The names of --models; ConfigError where it is given and names nothing."""
    names = [name.strip() for name in models.split(",") if name.strip()]
    if models and not names:
        raise ConfigError(f"--models={models!r} names no model", remedy="leave it out to measure all of them")
    return names


def _history(text: str, root: Path) -> str:
    """Where sessions are kept; empty where nobody wants them kept. ConfigError for what cannot be a place."""
    from harness.history.location import parse_location

    if text == "none":
        return ""
    location = text or str(root / DEFAULT_LOCATION)
    parse_location(location)
    return location


def _check_commit_url(template: str) -> None:
    """ConfigError before anything is measured, where the page would refuse it after all is."""
    if template:
        from harness.trendreport.page.embed import checked_commit_url

        checked_commit_url(template)


def _names_tests(config: pytest.Config) -> bool:
    """True where the arguments name some tests of several, or what failed last; a folder is no choice of tests."""
    failed_last = config.getoption("lf", default=False) and config.cache and config.cache.get("cache/lastfailed", {})
    by_hand = config.args_source is config.ArgsSource.ARGS
    if failed_last or not by_hand or any("::" in one for one in config.args):
        return bool(failed_last) or by_hand
    named = {config.invocation_params.dir / one for one in config.args}
    patterns = config.getini("python_files")
    beside = {other for one in named if one.is_file() for some in patterns for other in one.parent.glob(some)}
    return any(named.isdisjoint((one, *one.parents)) for one in beside)


def command_of(config: pytest.Config) -> str:
    """The command as a person would type it, without the password in the URL of a history: it is kept in reports."""
    from harness.history.location import without_passwords

    return "pytest " + shlex.join(map(without_passwords, config.invocation_params.args))


def _made_for(case: Case, session: Session, definition: pytest.Item) -> bool:
    from harness.pipelinecard import is_pipeline

    card, setup = session.cases[case], session.setup
    asked: dict[str, Callable[[], bool]] = {
        "labelled": lambda: card.labelled,
        "paired": lambda: bool(setup.against),
        "camera": lambda: setup.plan.arrivals is not None,
        "soak": lambda: is_soak(setup.plan),
        "cascade": lambda: is_pipeline(card),
        "derived": lambda: bool(card.variants[case.variant].parent),
    }
    return all(holds() for marker, holds in asked.items() if definition.get_closest_marker(marker))


def _own_stderr() -> TextIO | None:
    """A way to the terminal of our own: pytest captures descriptor 2 while tests run."""
    try:
        return os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    except OSError:
        return None
