"""Nets that learn to answer as their parent does: pruned, smaller, or rounded; without labels."""
