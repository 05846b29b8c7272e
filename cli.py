"""The command line, and the one place where trainer, render worker, and background filter meet.

A command parses, calls one function, and reports. Components are imported inside their command, so that
``meshcycle --help`` loads neither PyTorch nor Blender nor Ray.

Exit codes: 0 done; 2 the command line, a file or a device is not what was expected (one line says what to
do); 130 interrupted; 1 a bug, with its traceback.
"""

from typing import Any

import click

from shared.errors import MeshcycleError


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


@click.group(cls=ErrorReportingGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="meshcycle")
def main() -> None:
    """Train 3D hand networks on photographs and on renders of their own predictions."""


if __name__ == "__main__":
    main()
