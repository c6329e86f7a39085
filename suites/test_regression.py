"""Is the model worse than the last accepted build, or than the one of --against?"""

import pytest


def test_not_worse_than_the_accepted_baseline(check):
    check("baseline")


@pytest.mark.paired
def test_not_slower_than_the_reference(check):
    check("reference")
