"""Every limit of the profile and the card that no other suite asks for: none is left out."""


def test_every_other_limit_holds(check_the_rest):
    check_the_rest()
