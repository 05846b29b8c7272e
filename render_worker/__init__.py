"""Render predicted hands over photographs with Blender, in one process or on a Ray cluster."""
