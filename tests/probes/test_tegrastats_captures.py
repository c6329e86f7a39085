"""Every line of real logs parses and has the total that a reading of the log by other means gave."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import pytest
from tegralines import mutated

from harness.probes.tegraline import TegrastatsError, parse_line

TOTALS = Path(__file__).with_name("tegrastats_totals.tsv")
BURN = "xavier_nx_8gb_jp5_l4t35_burn.log"
MUTATIONS = 20_000


@pytest.fixture(scope="module")
def lines(captures) -> dict[tuple[str, int], str]:
    """File and line number -> the line without the name that some files put in front."""
    return {
        (path.name, number): line.split("\t")[-1]
        for path in sorted((captures / "tegrastats").iterdir())
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
    }


@pytest.fixture(scope="module")
def totals() -> list[dict[str, str]]:
    """rule: the rails whose sum is the total; rails, sum_mw: how many rails there are, and the sum of them all."""
    with TOTALS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_the_table_has_every_line_of_every_file(lines, totals):
    assert {(row["file"], int(row["line"])) for row in totals} == set(lines)


def test_every_line_has_its_total_and_its_rails(lines, totals):
    for row in totals:
        text = lines[row["file"], int(row["line"])]
        if row["rule"] == "no sample":
            with pytest.raises(TegrastatsError):
                parse_line(text)
            continue
        rails = parse_line(text).rails_mw
        assert (len(rails), sum(rails.values())) == (int(row["rails"]), float(row["sum_mw"])), row
        if row["rule"] != "no rails":
            assert sum(rails[name] for name in row["rule"].split("+")) == float(row["total_mw"]), row


def test_no_word_of_a_real_line_is_unknown(lines):
    real = {text for (name, _), text in lines.items() if not name.startswith("SYNTHETIC") and "/" in text}
    assert [text for text in real if parse_line(text).unknown] == []


def test_a_long_log_has_the_mean_and_the_extremes_that_were_computed_from_it(lines):
    values = [parse_line(text).rails_mw["VDD_IN"] for (name, _), text in lines.items() if name == BURN]
    assert (len(values), min(values), max(values)) == (103, 5542, 13830)
    assert math.isclose(sum(values) / len(values), 12791.8, abs_tol=0.05)


def test_damaged_real_lines_raise_nothing_but_the_parsers_own_error(lines):
    dice = random.Random(3141)
    real = sorted(lines.values())
    for number in range(MUTATIONS):
        try:
            parse_line(mutated(real[number % len(real)], dice))
        except TegrastatsError:
            continue
