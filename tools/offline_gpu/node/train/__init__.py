"""Steps that run in the node's own Python, with PyTorch."""
