"""Twins of predictions: one of them, and a round of them."""
