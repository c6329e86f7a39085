"""Is the model still small enough on this device?"""


def test_peak_memory_is_within_budget(check):
    check("peak_memory_mb")


def test_share_of_the_devices_memory_is_within_budget(check):
    check("memory_share_percent")
