"""Comparisons that need no choice; `comparisons.views_of` is the way in. Pure, but for `floors`."""
