"""`harness events`: a cascade on synthetic clips of driver behaviour, scored by its alarms.

systems   the cascade of a pipeline card on a device's engines      recorded  a run at a camera's pace, read from files
run       clips drawn and answered, scored under each condition     gates     the card's limits against what was scored
report    text, Markdown and JSON of it
"""
