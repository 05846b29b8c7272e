"""Other hand datasets, written in FreiHAND's layout: one file for each, and one line in `registry`."""
