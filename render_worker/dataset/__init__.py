"""Labelled hands with skin, arms and room light, for datasets in FreiHAND's layout."""
