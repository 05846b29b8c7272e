"""One file for each published dataset format, and what several of them need."""
