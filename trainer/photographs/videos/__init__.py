"""Videos: their frames, hands that keep their identity through them, and no jitter."""
