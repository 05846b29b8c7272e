"""Small stand-ins for the seams of the system, for tests only."""
