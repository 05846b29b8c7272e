"""The networks, and the coarse meshes that they predict first."""
