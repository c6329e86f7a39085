"""Are the outputs alive? Everything else means nothing where they are not."""


def test_outputs_are_alive(check):
    check("outputs_alive")
