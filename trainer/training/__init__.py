"""The spine: the loop over rounds, and what one optimiser step changes."""
