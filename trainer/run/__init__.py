"""A run on the disk: its folder, checkpoints, records, log, and copy at a URL."""
