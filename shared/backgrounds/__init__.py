"""The background database: photographs without people, and a verdict on every picture seen."""

from shared.backgrounds.database import BackgroundReader, BackgroundWriter

__all__ = ["BackgroundReader", "BackgroundWriter"]
