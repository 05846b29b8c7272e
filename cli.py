"""The command line, and the one place where trainer, render worker, and background filter meet.

A command parses, calls one function, and reports. Components are imported inside their command, so that
``meshcycle --help`` loads neither PyTorch nor Blender nor Ray.
"""

import click


@click.group()
def main() -> None:
    """Train 3D hand networks on photographs and on renders of their own predictions."""


if __name__ == "__main__":
    main()
