"""Does the model stay within the power that this device may take, and does its memory stay where it is?"""


def test_net_power_at_the_cameras_pace_is_within_budget(check):
    check("net_power_w")


def test_memory_does_not_grow_from_frame_to_frame(check):
    check("memory_growth_kb_per_frame")
