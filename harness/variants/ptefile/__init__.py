"""Quantised ExecuTorch programs, by torchao."""
