"""Reference runners of the protocol in docs/external-runner.md: reference.py and reference.cpp; copy one to begin."""
