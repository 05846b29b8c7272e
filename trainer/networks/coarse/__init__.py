"""Coarse meshes: the vertices that stand for a hand, chosen by decimation or read from published files."""
