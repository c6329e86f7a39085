"""The host's side of a worker on a board: its code and files there, its journal polled, its results fetched."""
