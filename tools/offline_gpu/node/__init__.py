"""What runs on a node: ``python3 -m tools.offline_gpu.node --help`` is its only door, the rest are steps."""
