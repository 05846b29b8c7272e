"""Fakes, small data and tools that several tests use."""
