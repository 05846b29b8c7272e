"""A progress bar that counts photographs."""

from typing import NoReturn

from tqdm import tqdm


def photo_bar(description: str, *, total: int, initial: int = 0, visible: bool = True) -> "tqdm[NoReturn]":
    """Return a progress bar that counts photographs; it hides where no terminal watches."""
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=" photos",
        disable=None if visible else True,
        leave=False,
    )
