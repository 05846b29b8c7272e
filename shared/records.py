"""The two kinds of typed, immutable values that leave a process: stored records, and sections of settings."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator


class Record(BaseModel):
    """Something that is stored as JSON: immutable, without unknown keys, and every number in it is finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Section(Record):
    """Settings that a person writes: a record whose keys are described by the docstrings below them."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    @field_validator("*")
    @classmethod
    def _can_name_a_file(cls, value: object) -> object:
        if isinstance(value, str | Path) and "\0" in str(value):
            raise ValueError("text without zero bytes")
        return value
