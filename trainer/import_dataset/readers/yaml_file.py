"""Reading the small YAML files of a dataset, without making any object but numbers, texts and lists."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from shared.errors import DatasetError


def read_yaml(path: Path, fields: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a mapping that has at least these fields.

    Raises:
        DatasetError: The file is missing, damaged, or lacks one.
    """
    try:
        content = yaml.safe_load(path.read_text())
    except OSError as error:
        raise DatasetError(
            f"{path}: expected a file of the dataset, {error.strerror}.",
            remedy="Unpack the dataset again.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DatasetError(
            f"{path}: expected YAML, found {reason}.",
            remedy="Unpack the dataset again.",
        ) from error
    found: Mapping[str, Any] = content if isinstance(content, dict) else {}
    if missing := [name for name in fields if name not in found]:
        raise DatasetError(
            (
                f"{path}: expected the fields {', '.join(fields)}, found none of the name "
                f"{', '.join(missing)}."
            ),
            remedy="Unpack the dataset again.",
        )
    return found
