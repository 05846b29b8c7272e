"""Options that the commands of all parts share."""

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from shared.errors import StorageError
from shared.seams.farm_tls import TLS_FOLDER, switch_tls_on
from shared.seams.parts import Parts
from shared.storage.location import is_url
from shared.storage.outputs import require_replaceable

pass_parts: Final = click.make_pass_decorator(Parts)
"""Gives a command what the other parts lend, as its first argument."""


class LocationType(click.Path):
    """A path, or a URL, which is looked at when it is used."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Let URLs pass, and check paths."""
        return value if is_url(value) else super().convert(value, param, ctx)


class OutputType(click.Path):
    """The name of a file to write, which is refused before any work if it is not ours to replace."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Look at what is there."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            require_replaceable(path)
        except StorageError as error:
            self.fail(str(error), param, ctx)
        return path


UNNAMED: Final = Path()
"""The value of an option for a file that was given without a name."""


class SuffixType(OutputType):
    """A path that ends in one suffix."""

    def __init__(self, suffix: str) -> None:
        super().__init__()
        self._suffix = suffix

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the suffix, too."""
        if value == UNNAMED:
            return value
        path = super().convert(value, param, ctx)
        if path.suffix.lower() != self._suffix:
            self.fail(f"expected a name that ends in {self._suffix}, found {path.name}.", param, ctx)
        return path


type Decorator = Callable[[Callable[..., None]], Callable[..., None]]

location: Final = LocationType(path_type=Path)


def backgrounds_option(help_text: str, *, required: bool = False) -> Decorator:
    """Make the option ``--backgrounds``, for a folder that must exist or a URL."""
    kind = LocationType(exists=True, file_okay=False, path_type=Path)
    return click.option("--backgrounds", type=kind, help=help_text, required=required)


def existing_folder(
    name: str, help_text: str, *, required: bool = False, variable: str | None = None
) -> Decorator:
    """Make an option for a folder that must exist; a variable of the environment can give it, too."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(name, type=kind, help=help_text, required=required, envvar=variable)


def output_path(help_text: str, *, required: bool = False) -> Decorator:
    """Make the option ``--out`` for a folder, which is made if it is missing."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--out", type=kind, help=help_text, required=required)


def output_location(help_text: str) -> Decorator:
    """Make the option ``--out`` for a folder or a URL."""
    kind = LocationType(file_okay=False, path_type=Path)
    return click.option("--out", type=kind, help=help_text, required=True)


def output_file(*names: str, help_text: str, required: bool = False) -> Decorator:
    """Make an option for a file to be written."""
    return click.option(*names, type=OutputType(), help=help_text, required=required)


def file_path(*names: str, help_text: str, required: bool = False) -> Decorator:
    """Make an option for a file to be read."""
    kind = click.Path(dir_okay=False, path_type=Path)
    return click.option(*names, type=kind, help=help_text, required=required)


def png_path(name: str, help_text: str) -> Decorator:
    """Make an option for a PNG to be written; another suffix is refused before there is anything to write."""
    return click.option(name, type=SuffixType(".png"), help=help_text)


def html_path(name: str, help_text: str) -> Decorator:
    """Make an option for a page to be written; without a name it is `UNNAMED`."""
    return click.option(name, type=SuffixType(".html"), is_flag=False, flag_value=UNNAMED, help=help_text)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of text.")
hand_model_option = file_path(
    "--hand-model",
    help_text="File of the hand model: MANO_RIGHT.pkl as published, or an .npz with the same fields. "
    "Default: that of the run, or the embedded open hand.",
)


def tls_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--tls``, which holds for all that the command does with Ray."""

    @wraps(command)
    def with_tls(*arguments: Any, tls: Path | None, **options: Any) -> None:
        if tls is not None:
            switch_tls_on(tls)
        command(*arguments, **options)

    help_text = (
        "This machine's certificates, of render-workers --make-certificates: the farm talks encrypted. "
        f"Default: ${TLS_FOLDER}."
    )
    return existing_folder("--tls", help_text, variable=TLS_FOLDER)(with_tls)


def ray_address_option(command: Callable[..., None]) -> Callable[..., None]:
    """Add ``--ray-address`` for the farm to use, and ``--tls`` for how to talk to it."""
    help_text = "HEAD:PORT of a render farm. Default: render on this machine."
    return click.option("--ray-address", help=help_text)(tls_option(command))


def examples(*lines: str) -> str:
    """Return the end of a help text: complete commands to copy, which tests read against the options.

    It is for ``epilog``, because a docstring would have to spell click's mark for lines that stay as they are
    as a control character.
    """
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))
