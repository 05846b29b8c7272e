"""What the commands of all parts have in common: their errors, their options, and how they report."""

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from shared.errors import MeshcycleError
from shared.storage.files import DISK_IS_FULL
from shared.storage.location import is_url

INTERRUPTED: Final = 130
"""Exit code."""

_NOT_OURS: Final = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR)


class UserError(click.ClickException):
    """An error that the user can act on, printed as one line."""

    exit_code = 2


class ErrorReportingGroup(click.Group):
    """Prints the errors that users can act on, and lets bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except MeshcycleError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            if error.errno in DISK_IS_FULL:
                raise UserError(
                    f"{error.filename or 'disk'}: expected space on the disk, found {error.strerror}. "
                    "Free some; the same command goes on from here.",
                ) from error
            if error.errno in _NOT_OURS and error.filename is not None:
                raise UserError(
                    f"{error.filename}: expected a place that this user can read and write, found "
                    f"{error.strerror}. Change its permissions, or give another path."
                ) from error
            raise
        except KeyboardInterrupt:
            click.echo("Interrupted. The same command goes on from here.", err=True)
            ctx.exit(INTERRUPTED)


class PlaceType(click.Path):
    """A path, or a URL, which is looked at when it is used."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Let URLs pass, and check paths."""
        return value if is_url(value) else super().convert(value, param, ctx)


class PngType(click.Path):
    """A path that ends in ``.png``."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Check the suffix, too."""
        path = super().convert(value, param, ctx)
        if isinstance(path, Path) and path.suffix.lower() != ".png":
            self.fail(f"expected a name that ends in .png, found {path.name}.", param, ctx)
        return path


place: Final = PlaceType(path_type=Path)


def backgrounds_option(help_text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make the option ``--backgrounds``, for a folder that must exist or a URL."""
    kind = PlaceType(exists=True, file_okay=False, path_type=Path)
    return click.option("--backgrounds", type=kind, help=help_text, **attributes)


def existing_folder(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option for a folder that must exist."""
    kind = click.Path(exists=True, file_okay=False, path_type=Path)
    return click.option(*names, type=kind, **attributes)


def output_path(help_text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make the option ``--out`` for a folder, which is made if it is missing."""
    kind = click.Path(file_okay=False, path_type=Path)
    return click.option("--out", type=kind, help=help_text, **attributes)


def output_place(help_text: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make the option ``--out`` for a folder or a URL."""
    kind = PlaceType(file_okay=False, path_type=Path)
    return click.option("--out", type=kind, help=help_text, **attributes)


def file_path(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option for a file to be read or written."""
    return click.option(*names, type=click.Path(dir_okay=False, path_type=Path), **attributes)


def png_path(*names: str, **attributes: Any) -> Callable[[Any], Any]:
    """Make an option for a PNG to be written; another suffix is refused before there is anything to write."""
    return click.option(*names, type=PngType(dir_okay=False, path_type=Path), **attributes)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout instead of text.")
hand_model_option = file_path(
    "--hand-model", help="MANO_RIGHT.pkl, or an .npz with its fields. Default: the embedded open hand."
)


def examples(*lines: str) -> str:
    """Return the end of a help text: whole commands to copy, which tests read against the options.

    It is for ``epilog``, because a docstring would have to spell click's mark for lines that stay as they are
    as a control character.
    """
    return "\n".join(("\b", "Examples:", *(f"  {line}" for line in lines)))


def report(value: dict[str, Any], text: str, *, as_json: bool) -> None:
    """Print a result on stdout for people or for programs; whatever else there is to say goes to stderr.

    Of the processes that torchrun starts, the first one reports.
    """
    if os.environ.get("RANK", "0") != "0":
        return
    click.echo(json.dumps(value, indent=1, default=str) if as_json else text)
