"""From the rows of a history to its trends; `trends.trends_of` is the way in. Pure."""
