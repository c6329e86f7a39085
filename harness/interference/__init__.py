"""What other load beside a model costs it: loads to run, the matrix of what they cost, and the command."""
