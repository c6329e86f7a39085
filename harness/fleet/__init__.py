"""Many boards in one lab. labgrid is the engine: it knows the boards, stands people in line and switches power.

commands.py   harness fleet places, harness fleet reap: look at the lab, free what dead jobs left
places.py     the places as lines of text
"""
