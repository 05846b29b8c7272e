"""Section 3 of the paper: the loss of a photograph and its twin, and nothing else."""
