"""Datasets in FreiHAND's layout: reading, writing, and checking their labels."""

from shared.freihand.reader import FreiHandSplit, LabelKind, LabelledHand, SplitName

__all__ = ["FreiHandSplit", "LabelKind", "LabelledHand", "SplitName"]
