"""The five shipped nets: how they are built, trained, exported, quantised and measured (extra `zoo`).

`python -m harness.zoo train all --seed 1` makes every file of suites/models from nothing. torch and
the engines are imported inside the functions that need them, so that reading this package is free.
"""
