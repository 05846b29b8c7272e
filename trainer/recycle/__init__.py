"""Recycling: predictions of the last round become twins of the next."""
