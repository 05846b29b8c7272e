"""The command that checks machine and data; the parts lend the checks."""

import json
from dataclasses import asdict

import click

from shared.cli.options import (
    as_json,
    backgrounds_option,
    examples,
    existing_folder,
    hand_model_option,
    pass_parts,
    tls_option,
)
from shared.seams.parts import Parts


@click.command(
    epilog=examples(
        "meshcycle doctor",
        "meshcycle doctor --data data/freihand --hand-model data/MANO_RIGHT.pkl",
        "meshcycle doctor --backgrounds lsun/bedroom_train_lmdb --weights yolov8n.pt --json",
    )
)
@existing_folder("--data", "Also check this dataset in FreiHAND's layout.")
@backgrounds_option("Also check this background database, its URL, or an LSUN LMDB.")
@click.option("--weights", help="Also load these YOLO weights.")
@click.option("--ray-address", help="Address of a running Ray cluster. Default: start Ray on this machine.")
@tls_option
@hand_model_option
@as_json
@pass_parts
@click.pass_context
def doctor(ctx: click.Context, parts: Parts, /, as_json: bool, **options: object) -> None:
    """Check whether machine and data are fit for use.

    Every check runs in a process of its own. The exit code is 0 if all is well, and 2 if there is a problem.
    """
    from shared.cli.doctor import examine

    given = {name: str(value) for name, value in options.items() if value is not None}
    findings = []
    for finding in examine(parts.checks, given):
        findings.append(finding)
        if not as_json:
            click.echo(finding)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    if any(finding.status == "problem" for finding in findings):
        ctx.exit(2)
