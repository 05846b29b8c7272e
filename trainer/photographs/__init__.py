"""Hands in photographs and videos of one's own."""
