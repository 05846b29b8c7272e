"""How commands take a configuration: a file, or the name of one in the package, and changes to it."""

import os
from pathlib import Path
from typing import Any

import click

from trainer.config.shipped import shipped_configs


class ConfigType(click.Path):
    """A TOML file, or the name of a configuration that comes with the package."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Look a name up."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        if path.exists() or path.suffix or path.name != str(path):
            return path  # reading it says what is wrong with it
        if path.name not in (shipped := shipped_configs()):
            self.fail(f"expected a file, or one of {', '.join(sorted(shipped))}, found {path}.", param, ctx)
        return shipped[path.name]


config_argument = click.argument("config_path", metavar="CONFIG", type=ConfigType())
set_option = click.option(
    "--set",
    "changes",
    metavar="KEY=VALUE",
    multiple=True,
    help="Give a key of the configuration another value, as in optimiser.learning_rate=3e-4; repeatable.",
)
