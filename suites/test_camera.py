"""Does the device keep the camera's pace? Asked where a camera sends the frames: --plan=camera, soak or --camera=30."""

import pytest

pytestmark = pytest.mark.camera


def test_the_tail_of_responses_is_within_budget_where_a_dropped_frame_is_a_miss(check):
    check("response_p99_ms")


def test_the_device_is_less_busy_than_the_camera_allows(check):
    check("camera_utilisation_percent")
