"""What a model takes in each mode of its device: the modes, the front of latency and power, and the command."""
