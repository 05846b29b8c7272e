"""Steps that run in the packed Python 3.13, with Blender."""
