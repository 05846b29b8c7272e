"""Files that survive a crash, and folders that may be at a URL."""
