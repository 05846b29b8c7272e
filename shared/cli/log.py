"""What commands say on stderr while they work: our own messages, and those of libraries only on request."""

import logging
from typing import Final

_OURS: Final = ("bg_filter", "render_worker", "shared", "trainer")


def tell_people(*, verbose: bool) -> None:
    """Have messages printed as plain lines.

    Args:
        verbose: Details too, and what libraries have to say.
    """
    logging.basicConfig(format="%(message)s", level=logging.INFO if verbose else logging.WARNING)
    for name in _OURS:
        logging.getLogger(name).setLevel(logging.DEBUG if verbose else logging.INFO)
