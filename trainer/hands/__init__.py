"""Hands that nobody photographed: sampled poses and views, to be drawn."""
