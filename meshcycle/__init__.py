"""meshcycle in Python: what a notebook needs, by a few names. docs/python.md shows them at work.

    import meshcycle

    hand = meshcycle.load("runs/realhands")
    (found,) = meshcycle.predict(hand, "photograph.jpg")
    found.verts_m

Importing this loads nothing heavy: each name is loaded when it is first used.
"""

from typing import TYPE_CHECKING

from meshcycle.own_names import claim_names

if TYPE_CHECKING:
    from meshcycle.front import Config, evaluate, load, predict, render, train

claim_names()  # before anything of ours is imported

__all__ = ["Config", "evaluate", "load", "predict", "render", "train"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'meshcycle' has no attribute {name!r}")
    from meshcycle import front

    return getattr(front, name)


def __dir__() -> list[str]:
    return __all__
