"""Blender workers on one machine or many: the only folder that imports Ray."""
