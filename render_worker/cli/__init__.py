"""The commands of the render worker."""
