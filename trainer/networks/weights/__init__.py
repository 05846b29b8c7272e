"""Weights that a network starts from or is used with, wherever they come from."""
