"""Train, predict, and score hand networks: everything that needs PyTorch and nothing that needs Blender."""
