"""Looking at rendered rounds: summaries, contact sheets, a gallery, curves."""
