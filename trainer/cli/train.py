"""The command that trains."""

from pathlib import Path

import click

from shared.cli.group import resume_without
from shared.cli.options import as_json, examples, pass_parts, ray_address_option
from shared.cli.report import report
from shared.seams.parts import Parts
from trainer.cli.options import config_argument, renderer_for


@click.command(
    epilog=examples(
        "meshcycle train configs/demo.toml --fresh",
        "meshcycle train configs/table2-fastmetro-correlation.toml",
        "torchrun --nproc-per-node 4 --no-python meshcycle train configs/table2-fastmetro-correlation.toml",
    )
)
@config_argument
@click.option(
    "--resume/--fresh",
    default=True,
    help="Resume from the last checkpoint, or move the old run aside and begin again.",
)
@ray_address_option
@as_json
@pass_parts
def train(parts: Parts, /, config_path: Path, resume: bool, ray_address: str | None, as_json: bool) -> None:
    """Train, and render the predictions between the rounds.

    CONFIG is a TOML file such as configs/realhands.toml. Everything is written to its run_dir. The resolved
    configuration is stored beside every checkpoint, so that a run can be repeated from its output alone.
    """
    from trainer.config.run import load_config
    from trainer.training.loop import train as run

    if not resume:
        resume_without("--fresh")
    config = load_config(config_path)
    with renderer_for(parts, ray_address)(config) as renderer:
        result = run(config, renderer=renderer, resume=resume)
    report(result, as_json=as_json)
