"""Miniatures of published datasets, written exactly in their formats."""
