"""Whole suites on one board or on many. labgrid is the engine: it knows the boards and stands people in line.

commands.py      harness fleet places, reap and run, harness nightly
nightly.py       what `harness fleet run` and `harness nightly` do, step by step
boards.py        which boards --devices means
healthcheck.py   which of them may be used
boardprocess.py  one pytest process per board, side by side, tried again, ended
boardresult.py   what each came to, and one exit status of all
nightfolder.py   the folder of a night, and whether an earlier one is gone on with
report.py        fleet.json and the trend report
webhook.py       a chat is told
places.py        the places of the lab, and what dead jobs left, as lines of text
"""
