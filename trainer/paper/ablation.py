"""Trains and scores everything that a table like the paper's Table 2 needs, and resumes where it stopped."""

import logging
from collections.abc import Iterator, Mapping, Sequence

from shared.errors import ConfigError, TrainingError
from shared.freihand.label_check import check_labels
from shared.hand_model import HandModel, load_hand_model
from shared.processes import is_first_process, num_processes
from trainer.networks.build import build_network
from trainer.paper.plan import AblationConfig, PlannedRun, planned_runs
from trainer.paper.scores import EvaluationData, FinishedRun, forget_scores, read_run, score_run
from trainer.paper.side_by_side import EndedRun, SideBySide
from trainer.paper.table import AblationReport, read_ablation
from trainer.run.folder import RunFolder, require_same
from trainer.training.loop import RendererFor, train

logger = logging.getLogger(__name__)


def ablate(
    config: AblationConfig,
    *,
    renderer_for: RendererFor,
    workers: int = 1,
    ray_address: str | None = None,
) -> AblationReport:
    """Train every run that is not finished, score every run that is not scored, and return the table.

    Calling it again resumes from the latest checkpoint of the run that was interrupted. A run whose loss
    stops being finite is left as it is and reported, and the others continue.

    Under ``torchrun`` every process calls it; the table of the first one is complete.

    Args:
        config: What to compare.
        renderer_for: Opens the renderer of a run; it is closed when the run ends.
        workers: Runs that train at a time. More than one train in processes of their own.
        ray_address: Of the render farm of these processes.

    Raises:
        MeshcycleError: Something that the user can act on, most of it before the first run begins.
        KeyboardInterrupt: A run was interrupted.
    """
    hand_model = load_hand_model(config.train.hand_model)
    runs = planned_runs(config)
    sets = {name: EvaluationData.open(each) for name, each in config.evaluation.items()}
    finished = _finished(runs, sets, hand_model)
    done = [each.run for each in finished]
    left = [run for run in runs if run not in done]
    logger.info("%d runs, of which %d are finished.", len(runs), len(finished))
    if is_first_process():
        for each in finished:
            score_run(each, sets)
    _try_parts(left, hand_model, renderer_for)
    failures = []
    ended = _one_by_one(left, renderer_for) if workers == 1 else _at_once(left, workers, ray_address)
    for num_left, outcome in zip(reversed(range(len(left))), ended, strict=True):
        if outcome.failure is not None:
            failures.append(f"{outcome.run}: {outcome.failure}")
            logger.warning("Failed: %s", failures[-1])
        elif is_first_process():
            logger.info("%s. Left: %d.", score_and_describe(outcome.run, sets), num_left)
    return read_ablation(config, failures=failures)


def _finished(
    runs: Sequence[PlannedRun], sets: Mapping[str, EvaluationData], hand_model: HandModel
) -> list[FinishedRun]:
    """Return the runs that are finished, once it is sure that all that is there belongs together.

    Raises:
        ConfigError: A run began with another configuration, or labels belong to another hand model.
        DatasetError: An evaluation set has no labels.
    """
    for each in sets.values():
        check_labels(each.split, hand_model)
    for run in runs:
        require_same(run.config, RunFolder(run.config.run_dir))
    return [result for run in runs if (result := read_run(run)) is not None]


def _try_parts(runs: Sequence[PlannedRun], hand_model: HandModel, renderer_for: RendererFor) -> None:
    """Build every network and open a renderer, so that what is missing shows now and not in days."""
    for model in {run.model: run.config.model for run in runs}.values():
        build_network(model, hand_model, from_checkpoint=True)
    recycling = [run.config for run in runs if run.config.recycle is not None]
    for config in recycling[:1]:
        with renderer_for(config):
            pass


def _one_by_one(runs: Sequence[PlannedRun], renderer_for: RendererFor) -> Iterator[EndedRun]:
    """Train in this process."""
    for run in runs:
        logger.info("Training %s in %s.", run, run.config.run_dir)
        forget_scores(run)
        try:
            with renderer_for(run.config) as renderer:
                train(run.config, renderer=renderer, resume=True)
        except TrainingError as error:
            if num_processes() > 1:  # which may be waiting inside the step that failed here
                raise
            yield EndedRun(run, str(error))
        else:
            yield EndedRun(run, None)


def _at_once(runs: Sequence[PlannedRun], workers: int, ray_address: str | None) -> Iterator[EndedRun]:
    """Train in processes of their own.

    Raises:
        ConfigError: This is one of the processes of torchrun.
    """
    if num_processes() > 1:
        raise ConfigError(
            "--workers: expected one process that starts the others, found those of torchrun.",
            remedy="Leave torchrun out, or --workers.",
        )
    for run in runs:
        forget_scores(run)
    yield from SideBySide(workers, ray_address).train(runs)


def score_and_describe(run: PlannedRun, sets: Mapping[str, EvaluationData]) -> str:
    """Score a run that has just ended, and describe it in a line."""
    finished = read_run(run)
    assert finished is not None, "training has returned"
    finished = score_run(finished, sets)
    scores = {name: finished.scores[name].scores for name in sets}
    numbers = [
        f"{name} PA-MPJPE {each['pa_mpjpe_mm']:.2f} mm, PA-MPVPE {each['pa_mpvpe_mm']:.2f} mm"
        for name, each in scores.items()
    ]
    return f"Finished {run}: {'; '.join(numbers)}; {finished.wall_s:.0f} s"
