"""Meshes and skeletons over photographs, arranged on sheets and pages."""
