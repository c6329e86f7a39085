"""Does every stage of the chained models do its work? docs/pipelines.md"""

import pytest


@pytest.mark.cascade
def test_every_stage_ran(check):
    check("stages_ran")
