"""The alternation of the paper: take the twins of a round, train, evaluate, make the twins of the next.

A checkpoint is written when a round's training has been evaluated, and every so often inside a round. All
that is random follows from names and seeds. So on a CPU a run that was killed anywhere, and resumed, ends
with the same bits as one that was not.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from lightning_fabric import Fabric
from tqdm.contrib.logging import logging_redirect_tqdm

from shared.hand_model import load_hand_model
from shared.seams.renderer import Renderer
from shared.slow import said_if_slow
from shared.storage.files import write_durably
from trainer.config.run import TrainConfig
from trainer.data.loader import RoundLoader
from trainer.data.sources import check_sources, open_sources
from trainer.evaluation.held_out_scores import score_sources
from trainer.inspection.round_pictures import RoundPictures
from trainer.recycle.counts import TwinCounts
from trainer.recycle.recycler import Recycler, Twins, require_renderer
from trainer.run.checkpoint import CheckpointId, latest_checkpoint, prune_checkpoints
from trainer.run.claim import claimed_run
from trainer.run.folder import RunFolder, open_run
from trainer.run.log import RunLog
from trainer.run.loggers.opening import open_loggers, require_loggers
from trainer.run.processes import build_fabric
from trainer.run.progress import photo_bar
from trainer.run.records import RoundRecord, read_records, round_table
from trainer.run.remote_copy import RemoteCopy
from trainer.run.twin_store import require_store
from trainer.training.commentary import Commentary
from trainer.training.interruption import Interruption
from trainer.training.learner import Learner
from trainer.training.loss_meter import LossMeter
from trainer.training.state import CheckpointManager, LoopState

logger = logging.getLogger(__name__)

LOG_EVERY_STEPS = 20


type RendererFor = Callable[[TrainConfig], AbstractContextManager[Renderer | None]]
"""Opens the renderer of a run's twins; it gives None for a run without [recycle]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainReport:
    """The outcome of a run.

    Attributes:
        run_dir: Its folder.
        records: All finished rounds.
        best_round: The one with the lowest held-out PA-MPJPE, counted from 0.
        best_checkpoint: Its folder.
    """

    run_dir: Path
    records: tuple[RoundRecord, ...]
    best_round: int
    best_checkpoint: Path

    def to_text(self) -> str:
        """Return the table of the rounds, and which one was the best."""
        return f"{round_table(self.records)}\nBest round: {self.best_round + 1}, in {self.best_checkpoint}"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def train(config: TrainConfig, *, renderer: Renderer | None, resume: bool) -> TrainReport:
    """Run all rounds, or those that are left.

    Args:
        config: Of the run.
        renderer: Renders the twins; only the first process needs it. None for a run without [recycle].
        resume: Continue from the latest checkpoint, if there is one; otherwise move the old run aside.

    Raises:
        MeshcycleError: Something that the user can act on, before or during training.
        KeyboardInterrupt: The run was interrupted; it can be resumed.
    """
    require_loggers(config)
    fabric = build_fabric(config)
    remote_copy = RemoteCopy(config)
    if fabric.is_global_zero and config.recycle is not None:
        require_renderer(renderer)  # before the old run is moved
        require_store(config.recycle.store)
    if fabric.is_global_zero and not resume:
        remote_copy.require_own()
    with claimed_run(config.run_dir, resume=resume) if fabric.is_global_zero else nullcontext():
        if fabric.is_global_zero and resume:
            remote_copy.restore()
        fabric.barrier()
        with said_if_slow("Reading photographs and building the network"):
            trainer = Trainer(fabric, config, renderer=renderer, resume=resume, remote_copy=remote_copy)
        if fabric.is_global_zero:
            open_run(config, image_px=trainer.image_px)
            remote_copy.begin()
        fabric.barrier()
        with logging_redirect_tqdm():
            result = trainer.run()
        if fabric.is_global_zero:
            remote_copy.end()
        return result


class Trainer:
    """A run, from its latest checkpoint to its end.

    Args:
        fabric: The processes that train together.
        config: Of the run.
        renderer: Renders the twins.
        resume: Whether a checkpoint that exists will be used.
        remote_copy: Updated after every round.

    Raises:
        MeshcycleError: Data, hand model, network and configuration do not go together.
    """

    def __init__(
        self,
        fabric: Fabric,
        config: TrainConfig,
        *,
        renderer: Renderer | None,
        resume: bool,
        remote_copy: RemoteCopy,
    ) -> None:
        self._fabric, self._config, self._remote_copy = fabric, config, remote_copy
        self._folder = RunFolder(config.run_dir)
        hand_model = load_hand_model(config.hand_model)
        self._sources = open_sources(config)
        check_sources(self._sources, hand_model)
        self._state = LoopState()
        self._recycler = Recycler(
            fabric,
            self._folder,
            config,
            self._sources,
            renderer=renderer,
            good_since=lambda: self._state.good_since,
        )
        self._loader = RoundLoader(
            self._sources,
            config,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            pin_memory=fabric.device.type == "cuda",
        )
        advice = self._loader.advice(meant=config.optimiser.photos_per_step)
        if advice and fabric.is_global_zero:
            logger.warning("%s", advice)
        self._learner = Learner(
            fabric,
            config,
            hand_model,
            num_steps=self._loader.steps_per_round * config.rounds,
            from_checkpoint=resume and latest_checkpoint(self._folder.checkpoints) is not None,
        )
        self._meter = LossMeter()
        self._checkpoints = CheckpointManager(
            folder=self._folder, learner=self._learner, meter=self._meter, loop=self._state
        )
        self._commentary = Commentary(
            config,
            self._sources,
            hand_model.faces,
            steps_per_round=self._loader.steps_per_round,
            is_heard=fabric.is_global_zero,
        )
        self._pictures = RoundPictures(config, self._folder, self._sources, hand_model.faces)
        self._last_s = time.perf_counter()

    @property
    def image_px(self) -> int:
        """Side of the photographs, those of the first source."""
        return self._sources[0].split.image_px

    def run(self) -> TrainReport:
        """Do every round that is left."""
        start = self._checkpoints.restore()
        if start is None:
            start = CheckpointId(0, ended=False)
        else:
            logger.info("Resuming %s after %s.", self._folder.root, start)
        self._commentary.begin(
            device=self._fabric.device,
            processes=self._fabric.world_size,
            num_parameters=sum(each.numel() for each in self._learner.network.parameters()),
        )
        with self._log(start) as log, self._recycler:
            self._recycler.resume(start)
            self._last_s = time.perf_counter()
            for round_index in range(start.round_index, self._config.rounds):
                if not start.ended:
                    twins = self._recycler.twins_of(round_index)
                    self._train(start, twins, log)
                    self._evaluate(round_index, twins)
                drawn = self._recycler.end_round(
                    round_index, self._learner.network, lap=partial(self._after_stage, round_index)
                )
                self._close_round(round_index, drawn, log)
                start = CheckpointId(round_index + 1, ended=False)
        best = self._state.best_round
        return TrainReport(
            run_dir=self._folder.root,
            records=tuple(read_records(self._folder)),
            best_round=best,
            best_checkpoint=self._folder.checkpoints / CheckpointId(best).name,
        )

    def _train(self, start: CheckpointId, twins: Twins, log: RunLog | None) -> None:
        """Train to the end of a round, from its beginning or from a checkpoint inside it."""
        round_index, photos_per_step = start.round_index, self._loader.photos_per_step
        steps = self._steps_of(round_index)
        loaded_steps = self._loader.steps(round_index, start_step=start.step, twins=twins.folder)
        self._state.staleness = dict(twins.staleness)
        bar = photo_bar(
            f"round {round_index + 1}/{self._config.rounds}",
            total=len(steps) * photos_per_step,
            initial=start.step * photos_per_step,
            visible=log is not None,
        )
        with Interruption() as interruption, bar:
            for step, (batches, wait_s) in zip(steps[start.step :], loaded_steps, strict=True):
                losses = self._learner.step(*batches, number=step)
                self._meter.add(losses)
                bar.update(photos_per_step)
                if log and step % LOG_EVERY_STEPS == 0:
                    loss = float(losses.total)
                    bar.set_postfix(
                        loss=f"{loss:.2f}", waiting=f"{self._state.wait_share:.0%}", refresh=False
                    )
                    log.step(step, loss=loss, learning_rate=self._learner.learning_rate.value)
                self._lap("train")
                self._commentary.after_step(round_index, left_in_round=steps.stop - step - 1)
                self._state.wait_s += wait_s
                checkpoint = CheckpointId(round_index, ended=False, step=step + 1 - steps.start)
                stop = self._learner.any_process(interruption.requested)
                if stop or step == steps[-1] or checkpoint.step % self._config.checkpoint.every_steps == 0:
                    self._checkpoints.save(checkpoint)
                if stop:
                    raise KeyboardInterrupt
        self._learner.share_statistics()

    def _evaluate(self, round_index: int, twins: Twins) -> None:
        """Score the held-out poses, tell the learning rate, and end the round's training."""
        scores: dict[str, float] = {}
        if self._fabric.is_global_zero:
            scores = score_sources(self._learner.network, self._sources, self._config, twins=twins.folder)
        scores = self._fabric.broadcast(scores)
        limit_mm = self._config.recycle.start_below_mm if self._config.recycle else None
        self._state.note_scores(round_index, scores, limit_mm=limit_mm)
        self._lap("evaluate")
        self._learner.learning_rate.after_round(scores["pa_mpjpe_mm"])
        self._checkpoints.save(CheckpointId(round_index))
        self._lap("evaluate")

    def _close_round(self, round_index: int, drawn: TwinCounts, log: RunLog | None) -> None:
        """Record a round, delete checkpoints that are not needed any more, and update the remote copy."""
        if log:
            log.round(
                self._record(round_index, drawn),
                last_step=self._steps_of(round_index)[-1],
                draw=partial(self._pictures.draw, self._learner.network, round_index)
                if self._config.log.pictures
                else None,
            )
            self._commentary.after_round(round_index, self._state, read_records(self._folder))
            checkpoints = self._folder.checkpoints
            write_durably(checkpoints / "best", [CheckpointId(self._state.best_round).name.encode()])
            prune_checkpoints(checkpoints, keep_last=self._config.checkpoint.keep_last)
            self._remote_copy.after_round()
        self._meter.clear()
        self._state.next_round()
        self._lap("close")  # counts towards the next round, because this one has been recorded

    def _record(self, round_index: int, drawn: TwinCounts) -> RoundRecord:
        steps, state = self._loader.steps_per_round, self._state
        return RoundRecord(
            round=round_index,
            learning_rate=self._learner.learning_rate.value,
            steps=steps,
            photos_per_s=steps * self._loader.photos_per_step / state.wall_s["train"],
            data_wait_share=state.wait_share,
            losses=self._meter.means(),
            scores=state.scores,
            rendered=drawn.drawn,
            quarantined=drawn.quarantined,
            wall_s=state.wall_s,
            twins=drawn.numbers(),
            staleness=state.staleness,
        )

    def _steps_of(self, round_index: int) -> range:
        """Return the optimiser steps of a round, counted from 0 at the beginning of the run."""
        steps = self._loader.steps_per_round
        return range(round_index * steps, (round_index + 1) * steps)

    def _after_stage(self, round_index: int, stage: str) -> None:
        """Count the time of a stage at the end of a round."""
        self._lap(stage)
        if stage == "predict":
            self._commentary.before_rendering(round_index, self._folder.predictions(round_index))

    def _lap(self, stage: str) -> None:
        """Count the time since the last call as a stage's, so that stages add up to the round."""
        now_s = time.perf_counter()
        self._state.spend(stage, now_s - self._last_s)
        self._last_s = now_s

    @contextmanager
    def _log(self, start: CheckpointId) -> Iterator[RunLog | None]:
        """Open the log, which only the first process keeps."""
        if not self._fabric.is_global_zero:
            yield None
            return
        steps = self._steps_of(start.round_index)
        start_step = steps.stop if start.ended else steps.start + start.step
        log = RunLog(
            self._folder,
            rounds=self._config.rounds,
            finished_rounds=start.round_index + start.ended,
            loggers=open_loggers(self._config, self._folder, start_step=start_step),
        )
        try:
            yield log
        except BaseException:
            log.close(failed=True)
            raise
        log.close()
