"""The group of commands that prints errors which users can act on, and lets bugs keep their traceback."""

import errno
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import click

from shared.errors import MeshcycleError
from shared.storage.files import DISK_IS_FULL

SOME_SKIPPED: Final = 3
"""Exit code of a command that could not use all of its files."""
INTERRUPTED: Final = 130
"""Exit code."""

EXIT_CODES: Final = """\b
Exit codes:
  0    done
  1    a bug, with its traceback
  2    the command line, a file or a device is not what was expected; one line says what to do
  3    done, but some files were skipped
  130  interrupted; the same command resumes

\b
Completion of commands, options and files:
  bash, zsh  eval "$(_MESHCYCLE_COMPLETE=bash_source meshcycle)"    # or zsh_source
  fish       _MESHCYCLE_COMPLETE=fish_source meshcycle | source
"""

_WRONG_PLACE: Final = frozenset(
    {
        *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR),
        *(errno.EEXIST, errno.ENOENT, errno.ELOOP, errno.ENAMETOOLONG, errno.ENXIO, errno.ENOTEMPTY),
    }
)
"""Numbers of the errors that another path would mend."""


_WITHOUT: Final = f"{__name__}.without"
"""Key of what a command has noted about itself."""


class UserError(click.ClickException):
    """An error that the user can act on, printed as one line."""

    exit_code = 2


class ErrorReportingGroup(click.Group):
    """Prints the errors that users can act on, and lets bugs keep their traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command."""
        try:
            with _termination_interrupts():
                return super().invoke(ctx)
        except MeshcycleError as error:
            raise UserError(str(error)) from error
        except OSError as error:
            if error.errno in DISK_IS_FULL:
                raise UserError(
                    f"{error.filename or 'disk'}: expected space on the disk, found {error.strerror}. "
                    f"Free some. {_how_to_resume(ctx)}",
                ) from error
            if error.errno in _WRONG_PLACE and error.filename is not None:
                raise UserError(
                    f"{error.filename}: expected a path that this user can read and write, found "
                    f"{error.strerror}. Change its permissions, or give another path."
                ) from error
            raise
        except KeyboardInterrupt:
            click.echo(f"Interrupted. {_how_to_resume(ctx)}", err=True)
            ctx.exit(INTERRUPTED)


def resume_without(option: str) -> None:
    """Note that the command that is running begins again if it is repeated with this option."""
    click.get_current_context().meta[_WITHOUT] = option


def _how_to_resume(ctx: click.Context) -> str:
    option = ctx.meta.get(_WITHOUT)
    return f"The same command without {option} resumes." if option else "The same command resumes."


@contextmanager
def _termination_interrupts() -> Iterator[None]:
    """Take the signal by which machines and schedulers end a program for a Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def _interrupt(_which: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
