"""What do the camera's frames, the filter and the warning leave of the public scenario times? docs/scenarios.md"""

import pytest

pytestmark = pytest.mark.camera


def test_every_scenario_time_leaves_a_margin(check, measurement):
    if measurement.filtering is None:
        pytest.skip("neither the card's truth nor its [filter] says which state of the driver this model tells")
    check("scenario_margins")
