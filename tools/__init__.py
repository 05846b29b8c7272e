"""Programs for the people who develop this project; nothing here is installed."""
