"""How fast training is, beside a plain loop in the same run."""
