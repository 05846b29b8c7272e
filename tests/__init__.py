"""Claims about the product, in the order of its own folders; what they share is in ``support``."""
