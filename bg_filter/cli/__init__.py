"""The commands of the background filter."""
