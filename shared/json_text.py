"""Reading JSON that others wrote: whatever is wrong with it is a `ValueError`."""

import json
from typing import Any


def parse_json(text: str | bytes) -> Any:
    """Parse JSON.

    Raises:
        ValueError: It is none, is not UTF-8, or is nested too deeply to be anything of ours.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("brackets in brackets in brackets without an end") from None
