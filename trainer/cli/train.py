"""The command that trains."""

from pathlib import Path

import click

from shared.cli.group import resume_without
from shared.cli.options import as_json, examples, pass_parts, ray_address_option
from shared.cli.report import report
from shared.seams.parts import Parts
from shared.slow import said_if_slow
from trainer.cli.config_options import config_argument, set_option
from trainer.cli.options import renderer_for


@click.command(
    epilog=examples(
        "meshcycle train configs/demo.toml --fresh",
        "meshcycle train table2-fastmetro-correlation --set seed=1 --set run_dir=runs/second",
        "torchrun --nproc-per-node 4 --no-python meshcycle train configs/table2-fastmetro-correlation.toml",
    )
)
@config_argument
@set_option
@click.option(
    "--resume/--fresh",
    default=True,
    help="Resume from the last checkpoint, or move the old run aside and begin again.",
)
@ray_address_option
@as_json
@pass_parts
def train(
    parts: Parts,
    /,
    config_path: Path,
    changes: tuple[str, ...],
    resume: bool,
    ray_address: str | None,
    as_json: bool,
) -> None:
    """Train, and render the predictions between the rounds.

    CONFIG is a TOML file, or the name of one that comes with the package, such as realhands. Everything is
    written to its run_dir. The resolved configuration is stored beside every checkpoint, so that a run can be
    repeated from its output alone.
    """
    with said_if_slow("Loading PyTorch"):
        from trainer.config.run import TrainConfig
        from trainer.training.loop import train as run

    if not resume:
        resume_without("--fresh")
    config = TrainConfig.read(config_path, changes=changes)
    with renderer_for(parts, ray_address)(config) as renderer:
        result = run(config, renderer=renderer, resume=resume)
    report(result, as_json=as_json)
