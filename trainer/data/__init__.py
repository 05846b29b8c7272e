"""Photographs, labels and twins as batches of augmented crops."""
