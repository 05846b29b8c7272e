"""The scene in Blender: the only folder that imports bpy."""
