"""Does the model hold out for ten minutes and more? Asked under --plan=soak and --plan=soak-60: docs/soak.md"""

import pytest

pytestmark = pytest.mark.soak


def test_latency_stays_where_it_was(check):
    check("latency_drift")


def test_the_device_does_not_throttle(check):
    check("throttling")


def test_memory_does_not_leak(check):
    check("memory_leak")


def test_no_frame_stalls(check):
    check("stalls")
