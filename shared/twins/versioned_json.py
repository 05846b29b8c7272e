"""JSON files that say which format they have, so that another release's are told from damaged ones."""

from pathlib import Path

from shared.errors import ShardError
from shared.json_text import parse_json


def read_versioned_json(path: Path, *, expected_format: str) -> object:
    """Read a file with `versioned_json`.

    Raises:
        FileNotFoundError: There is no such file.
        ShardError: It is no JSON object, or of another format.
    """
    return versioned_json(path.read_bytes(), path, expected_format=expected_format)


def versioned_json(text: bytes, path: Path | str, *, expected_format: str) -> object:
    """Parse what a file held, as `read_versioned_json` does.

    Raises:
        ShardError: It is no JSON object, or of another format.
    """
    try:
        content = parse_json(text)
    except (ValueError, RecursionError) as error:
        raise ShardError(
            f"{path}: expected JSON, found {error}.",
            remedy="Delete it and render the round again.",
        ) from error
    found = content.get("format", "none") if isinstance(content, dict) else "no object"
    if found != expected_format:
        raise ShardError(
            f"{path}: expected format {expected_format}, found {found!s:.60}.",
            remedy="Render the round again with this release.",
        )
    return content
