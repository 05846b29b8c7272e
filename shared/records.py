"""The two kinds of typed, immutable values that leave a process: stored records, and sections of settings."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Something that is stored as JSON: immutable, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Section(Record):
    """Settings that a person writes: a record whose keys are described by the docstrings below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)
