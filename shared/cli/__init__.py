"""What every command shares: options, reports, and the checks of ``doctor``."""
