"""Files that are nearly right: whoever reads them says so in one line, or reads what was written."""
