"""What a variant costs, and where: layer by layer, in confidence, beside its parent."""
