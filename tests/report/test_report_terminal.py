"""The plain-text report: aligned tables, what did not pass, the banner; inert in a terminal."""

from __future__ import annotations

import pytest

from harness.errors import EngineError, WorkerError
from harness.report.banner import banner
from harness.report.layout import WIDTH, Table, text_table
from harness.report.terminal import terminal_lines
from harness.report.values import number
from tests.report.builders import MARKS, card, case, measurement, run, score, session, verdict

HOSTILE = "<script>\x1b[31m\x00|`@here`\u202e\r\n\udc80"


def text(known):
    return "\n".join(terminal_lines(known))


def row(known, start):
    """The cells of the first line that starts with `start`."""
    return next(line.split() for line in terminal_lines(known) if line.strip().startswith(start))


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (None, "-"), (float("nan"), "-"), (float("inf"), "-"), (0.0, "0.000"), (0.0004, "<0.001"), (-0.0004, ">-0.001"),
        (0.25, "0.250"), (5.3004, "5.300"), (12.345, "12.35"), (188.63, "188.6"), (12345.6, "12346"), (-20.5, "-20.50"),
    ],
)  # fmt: skip
def test_numbers_show_three_to_four_digits(value, wanted):
    assert number(value) == wanted


def test_a_latency_row_has_load_first_stages_and_tail():
    cells = row(session(measurement()), "fp32/ort")
    assert " ".join(cells) == "fp32/ort 120.0 9.000 0.200 5.000 0.100 5.300 5.300 <=5.300 6.300 5.299"


@pytest.mark.parametrize(
    ("frames", "p999", "fluctuation"), [(660, "-", "0.133"), (3000, "5.300", "0.062"), (40, "-", "-")]
)
def test_a_steadiness_row_tells_how_even_the_frames_are_and_leaves_out_what_too_few_tell(frames, p999, fluctuation):
    lines = terminal_lines(session(measurement(case(), run(frames))))
    cells = next(line for line in lines[lines.index("Steadiness") :] if line.strip().startswith("fp32/ort")).split()
    assert (len(cells), cells[3], cells[5]) == (8, fluctuation, p999)
    assert cells[6:] == ["6.300", "6.300"]


def test_too_few_frames_are_said_and_not_replaced_by_a_number():
    assert "needs 299 frames" in text(session(measurement(case(), run(40))))


def test_what_is_not_measured_is_a_dash_and_never_zero():
    cells = row(session(measurement(case(), run(marks={}))), "fp32/ort")
    assert cells[1:3] == ["-", "-"]


def test_a_run_that_never_became_steady_is_marked():
    said = text(session(measurement(case(), run(steady=False))))
    assert "fp32/ort *" in said
    assert "not steady" in said
    assert "not steady" not in text(session(measurement()))


def test_the_smoke_plan_says_that_its_times_mean_little():
    assert "the plan smoke is too short" in text(session(measurement(), plan="smoke"))


def test_a_variant_is_compared_with_its_parent_in_accuracy_size_and_speed():
    smaller = {**MARKS, "file_bytes": 100_000.0}
    known = session(
        measurement(score=score(97.5)),
        measurement(case("int8"), run(660, 2.5, smaller), score=score(96.0), parent_score=score(97.5)),
    )
    found = [" ".join(line.split()) for line in terminal_lines(known) if "accuracy" in line]
    assert found[0] == "fp32/ort - accuracy 2000/2600 - 97.50 - 52.00 - -"
    assert found[1] == "int8/ort fp32 accuracy 2000/2600 97.50 96.00 1.500 52.00 4.00x 2.00x"


def test_a_parent_that_was_not_measured_leaves_dashes():
    said = [" ".join(line.split()) for line in terminal_lines(session(measurement(case("int8")))) if " fp32 " in line]
    assert said == ["int8/ort fp32 - - - - - - - -"]


def test_gates_show_the_worst_case_and_advice_stands_apart():
    known = session(measurement(), measurement(case("int8")))
    known.verdicts += [
        verdict(), verdict("FAIL", case("int8"), value=60.0, margin_percent=-20.0, sentence="P99 60 ms"),
        verdict("FAIL", metric="load_ms", gate=False, sentence="slow to load"),
    ]  # fmt: skip
    lines = terminal_lines(known)
    gates, advice = lines.index("Gates"), lines.index("Advice, never red")
    assert " ".join(lines[gates + 3].split()) == "frame_p99_ms eyes/int8/ort 50 ms 60.00 ms -20.0 1 FAIL, 1 PASS"
    assert lines[advice + 3].split()[0] == "load_ms"
    assert "  FAIL: bench/eyes/int8/ort frame_p99_ms: P99 60 ms" in lines[lines.index("Not passed") :]
    assert "  FAIL: bench/eyes/fp32/ort load_ms: slow to load" in lines[lines.index("Advice not passed") :]


def test_checks_that_say_the_same_are_told_once_with_their_count_but_every_failure_alone():
    known = session(measurement(case(model="m0")), cards=[card(f"m{number}") for number in range(9)])
    cases = [case(model=f"m{number}") for number in range(9)]
    known.verdicts += [verdict("INCONCLUSIVE", one, sentence="too short") for one in cases]
    known.verdicts += [verdict("FAIL", one, sentence="dead") for one in cases]
    said = text(known).replace("\n      ", " ")
    assert said.count("too short") == 1
    assert "INCONCLUSIVE: 9 checks (frame_p99_ms) of bench/m0/fp32/ort" in said
    assert "and 5 more: too short" in said
    assert said.count(": dead") == 9


def test_each_error_is_one_sentence_with_the_next_step():
    known = session()
    known.errors[case()] = EngineError("no engine", where="devices/bench.toml", remedy="install it")
    known.errors[case("int8")] = WorkerError("crashed")
    said = text(known)
    assert "ERROR: bench/eyes/fp32/ort: no engine (devices/bench.toml); install it" in said
    assert "ERROR: bench/eyes/int8/ort: crashed\n" in said


def test_the_same_error_of_many_cases_is_told_once():
    known = session()
    known.errors.update(
        {case(model=f"m{number}"): EngineError("no engine", remedy="install it") for number in range(30)}
    )
    assert text(known).count("install it") == 1
    assert "and 26 more" in text(known)


def test_the_harness_tells_its_own_cost_and_the_timer():
    said = text(session(measurement())).replace("\n    ", " ")
    assert "harness cost per frame (worst of 1 run): median 1.20 us, p99 2.50 us" in said
    assert "timer resolution 0.04 us" in said


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["PASS"], "PASS"),
        (["PASS", "INCONCLUSIVE"], "INCONCLUSIVE"),
        (["PASS", "INCONCLUSIVE", "INVALID"], "INVALID"),
        (["INVALID", "FAIL"], "FAIL"),
        (["NO_BASELINE", "PASS"], "NO_BASELINE"),
        (["NOT_COMPARABLE", "PASS"], "NOT_COMPARABLE"),
        ([], "NOTHING JUDGED"),
    ],
)
def test_the_banner_is_the_worst_outcome_and_counts_each(outcomes, state):
    known = session(measurement())
    known.verdicts += [verdict(one, sentence=str(index)) for index, one in enumerate(outcomes)]
    assert banner(known).state == state
    for one in outcomes:
        assert f"1 {one}" in banner(known).sentence


def test_only_a_pass_needs_no_next_step():
    known = session(measurement())
    known.verdicts.append(verdict())
    assert banner(known).next_step == ""
    known.verdicts.append(verdict("INCONCLUSIVE"))
    assert banner(known).next_step


def test_advice_alone_never_makes_the_banner_red():
    known = session(measurement())
    known.verdicts += [verdict(), verdict("FAIL", gate=False)]
    assert banner(known).state == "PASS"
    assert "advice: 1 FAIL" in banner(known).sentence


def test_an_empty_session_says_that_nothing_was_measured():
    assert terminal_lines(session())[-1].lstrip()
    assert banner(session()).state == "NOTHING MEASURED"


def test_errors_without_any_measurement_say_so_too():
    known = session()
    known.errors[case()] = EngineError("no engine")
    assert banner(known).state == "ERROR"
    assert "NOTHING MEASURED" in banner(known).sentence
    assert "1 case could not be measured" in banner(known).sentence


def test_a_case_that_was_timed_and_has_no_accuracy_is_not_counted_as_unmeasured():
    known = session(measurement(), measurement(case("int8")))
    known.errors[case("int8")] = EngineError("the labels are wrong")
    assert "2 of 2 cases measured; the accuracy of 1 case is not known" in banner(known).sentence
    assert "could not be measured" not in banner(known).sentence
    assert banner(known).state == "ERROR"


def test_a_verdict_asked_twice_counts_once():
    known = session(measurement())
    known.verdicts += [verdict(), verdict()]
    assert "1 gate: 1 PASS" in banner(known).sentence


def test_every_table_of_a_simulated_device_and_the_banner_say_so():
    known = session(measurement(simulated=True, score=score()), simulated=True)
    known.verdicts += [verdict(), verdict(gate=False)]
    lines = terminal_lines(known)
    assert sum(line.endswith("[SIMULATED]") for line in lines) == 7
    assert "SIMULATED" in banner(known).sentence


def test_a_simulated_engine_among_real_ones_is_marked_in_its_row():
    said = text(session(measurement(), measurement(case("int8"), run(simulated=True))))
    assert "[partly SIMULATED]" in said
    assert "int8/ort ~" in said
    assert "fp32/ort ~" not in said


def test_hostile_names_are_inert_and_stay_on_their_line():
    hostile = case(model=HOSTILE)
    known = session(measurement(hostile), cards=[card(HOSTILE)])
    known.verdicts.append(verdict("FAIL", hostile, sentence=HOSTILE, metric=HOSTILE))
    known.errors[case("int8", HOSTILE)] = EngineError(HOSTILE, where=HOSTILE, remedy=HOSTILE)
    known.notes.append(HOSTILE)
    assert all(line.isprintable() for line in terminal_lines(known))


def test_usual_names_keep_every_line_within_118_columns():
    models = [card(f"driver_attention_net_{number}") for number in range(3)]
    known = session(
        *(measurement(case(variant, one.name), score=score(), parent_score=score()) for one in models
          for variant in ("fp32", "int8")), cards=models,
    )  # fmt: skip
    known.verdicts += [
        verdict("INVALID", one, sentence="x y " * 90, metric="fps_fluctuation_percent") for one in known.cases
    ]
    assert max(map(len, terminal_lines(known))) <= WIDTH


def test_wide_and_combining_characters_do_not_break_the_columns():
    table = Table(
        title="t", columns=("name", "n"), groups=(("", (("目の状態", "1"), ("e\u0301e", "22"), ("ascii", "3"))),)
    )
    wide, combining, narrow = text_table(table)[3:6]
    assert (len(wide), len(combining), len(narrow)) == (8, 13, 12)  # all of them 12 columns wide
