"""The panoramas that Blender ships, and the photographs that are cut from them."""
