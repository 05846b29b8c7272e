"""The alternation of the paper: train, evaluate, predict, have the predictions drawn, next round.

Overlapping, the last of these happens while the next round trains; see trainer/recycle/recycler.py.

A checkpoint is written when a round's training has been evaluated, and now and then inside a round. All that
is random follows from names and seeds, so on a CPU a run that was killed anywhere, and resumed, ends with the
same bits as one that was not.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

from lightning_fabric import Fabric
from tqdm.contrib.logging import logging_redirect_tqdm

from shared.freihand import FreiHandSplit
from shared.freihand.label_check import check_labels
from shared.hand_model import load_hand_model
from shared.seams.renderer import Renderer
from shared.storage.files import write_durably
from trainer.config.run import TrainConfig
from trainer.data.loader import RoundLoader
from trainer.data.sampling import hold_out
from trainer.evaluation.predict import score_photographs
from trainer.recycle.recycler import Recycler
from trainer.run.checkpoint import WEIGHTS, CheckpointId, latest_checkpoint, prune_checkpoints
from trainer.run.folder import RunFolder, open_run
from trainer.run.lock import sole_trainer
from trainer.run.log import RoundRecord, RunLog, photo_bar, read_records
from trainer.run.records import round_table
from trainer.run.remote_copy import RemoteCopy
from trainer.training.interruption import Interruption
from trainer.training.learner import Learner, build_fabric
from trainer.training.loss_meter import LossMeter
from trainer.training.state import CheckpointManager, LoopState

logger = logging.getLogger(__name__)

LOG_EVERY_STEPS = 20


type RendererFor = Callable[[TrainConfig], AbstractContextManager[Renderer | None]]
"""Opens whatever draws the twins of a run; it gives None for a run without [recycle]."""


@dataclass(frozen=True, slots=True)
class TrainReport:
    """What became of a run.

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
        renderer: Draws the twins; only the first process asks it. None for a run without [recycle].
        resume: Go on from the latest checkpoint, if there is one; otherwise begin anew.

    Raises:
        MeshcycleError: Something that the user can act on, before or during training.
        KeyboardInterrupt: The run was interrupted; it can be resumed.
    """
    fabric = build_fabric(config)
    mirror = RemoteCopy(config)
    with sole_trainer(config.run_dir) if fabric.is_global_zero else nullcontext():
        if fabric.is_global_zero:
            mirror.restore() if resume else mirror.require_own()
        fabric.barrier()
        trainer = Trainer(fabric, config, renderer=renderer, resume=resume, mirror=mirror)
        if fabric.is_global_zero:
            open_run(config, image_px=trainer.image_px, resume=resume)
            mirror.begin()
        fabric.barrier()
        with logging_redirect_tqdm():
            result = trainer.run()
        if fabric.is_global_zero:
            mirror.end()
        return result


class Trainer:
    """A run, from its latest checkpoint to its end.

    Args:
        fabric: The processes that train together.
        config: Of the run.
        renderer: Draws the twins.
        resume: Whether a checkpoint that is there will be used.
        mirror: Gets a copy of every round.

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
        mirror: RemoteCopy,
    ) -> None:
        self._fabric, self._config, self._mirror = fabric, config, mirror
        self._folder = RunFolder(config.run_dir)
        data = config.data
        hand_model = load_hand_model(config.hand_model)
        self._split = FreiHandSplit(data.root, "training", num_versions=data.num_versions)
        check_labels(self._split, hand_model)
        division = hold_out(self._split, held_out_share=data.held_out_share, max_samples=data.max_samples)
        self._held_out = division.held_out
        self._recycler = Recycler(
            fabric, self._folder, config, self._split, division.training, renderer=renderer
        )
        self._feed = RoundLoader(
            self._split,
            division.training,
            config,
            rank=fabric.global_rank,
            world_size=fabric.world_size,
            pin_memory=fabric.device.type == "cuda",
        )
        self._engine = Learner(
            fabric,
            config,
            hand_model,
            num_steps=self._feed.steps_per_round * config.rounds,
            from_checkpoint=resume and latest_checkpoint(self._folder.checkpoints) is not None,
        )
        self._meter = LossMeter()
        self._standing = LoopState()
        self._snapshots = CheckpointManager(self._folder, self._engine, self._meter, self._standing)
        self._last_s = time.perf_counter()

    @property
    def image_px(self) -> int:
        """Side of the photographs."""
        return self._split.image_px

    def run(self) -> TrainReport:
        """Do every round that is left."""
        recycle = self._config.recycle
        moment = self._snapshots.restore()
        if moment is None:
            moment = CheckpointId(0, ended=False)
        else:
            logger.info("Resuming %s from %s.", self._folder.root, moment.name)
        with self._log(moment) as log, self._recycler:
            if recycle is not None and recycle.source == "ground_truth":
                self._recycler.draw_truth()
            self._recycler.resume(moment.round_index, ended=moment.ended, weights=self._weights)
            self._last_s = time.perf_counter()
            for round_index in range(moment.round_index, self._config.rounds):
                if not moment.ended:
                    self._learn(moment, log)
                    self._evaluate(round_index)
                self._recycle(round_index, log)
                moment = CheckpointId(round_index + 1, ended=False)
        best = self._standing.best_round
        return TrainReport(
            run_dir=self._folder.root,
            records=tuple(read_records(self._folder)),
            best_round=best,
            best_checkpoint=self._folder.checkpoints / CheckpointId(best).name,
        )

    def _learn(self, begin: CheckpointId, log: RunLog | None) -> None:
        """Train from a moment inside a round to the end of its training."""
        round_index, steps = begin.round_index, self._feed.steps_per_round
        twins = self._recycler.twins_for(round_index)
        batches = self._feed.batches(round_index, start_step=begin.step, twins=twins)
        self._standing.staleness = self._recycler.staleness_in(round_index)
        bar = photo_bar(
            f"round {round_index + 1}/{self._config.rounds}",
            total=steps * self._feed.photos_per_step,
            initial=begin.step * self._feed.photos_per_step,
            visible=log is not None,
        )
        with Interruption() as interruption, bar:
            for step, (loaded, wait_s) in enumerate(batches, start=begin.step + 1):
                number = round_index * steps + step - 1
                losses = self._engine.step(loaded, number=number)
                self._meter.add(losses)
                bar.update(self._feed.photos_per_step)
                if log and number % LOG_EVERY_STEPS == 0:
                    loss = float(losses.total)
                    waiting = self._standing.wait_share
                    bar.set_postfix(loss=f"{loss:.2f}", waiting=f"{waiting:.0%}", refresh=False)
                    log.step(number, loss=loss, learning_rate=self._engine.learning_rate.value)
                self._lap("train")
                self._standing.wait_s += wait_s
                stop = self._engine.any_process(interruption.requested)
                if stop or step == steps or step % self._config.checkpoint.every_steps == 0:
                    self._snapshots.save(CheckpointId(round_index, ended=False, step=step))
                if stop:
                    raise KeyboardInterrupt
        self._engine.share_statistics()

    def _evaluate(self, round_index: int) -> None:
        """Score the held-out poses, tell the learning rate, and end the round's training."""
        scores: dict[str, float] = {}
        if self._fabric.is_global_zero:
            scores = score_photographs(
                self._engine.network,
                self._split,
                self._held_out,
                data=self._config.data,
                autocast=self._engine.autocast,
            )
        scores = self._fabric.broadcast(scores)
        self._standing.note_scores(round_index, scores)
        self._lap("evaluate")
        self._engine.learning_rate.after_round(scores["pa_mpjpe_mm"])
        self._snapshots.save(CheckpointId(round_index))
        self._lap("evaluate")

    def _recycle(self, round_index: int, log: RunLog | None) -> None:
        """Make the twins of the next round, if it trains with any, and close the books of this one."""
        checkpoints, recycler = self._folder.checkpoints, self._recycler
        if recycler.schedule.is_drawn(round_index):
            recycler.predict(round_index, self._engine.network, autocast=self._engine.autocast)
            self._lap("predict")
        newest = recycler.schedule.drawn_before(round_index + 1)
        if recycler.schedule.is_drawn(round_index) or recycler.schedule.is_drawn(newest):
            recycler.render(round_index, weights=self._weights(round_index))
            self._lap("render")
        if log:
            log.round(self._record(round_index), step=(round_index + 1) * self._feed.steps_per_round)
            write_durably(checkpoints / "best", [CheckpointId(self._standing.best_round).name.encode()])
            prune_checkpoints(checkpoints, keep_last=self._config.checkpoint.keep_last)
            self._mirror.after_round()
        self._meter.clear()
        self._standing.next_round()
        self._lap("close")  # the books of this round, in the time of the next

    def _record(self, round_index: int) -> RoundRecord:
        steps, standing = self._feed.steps_per_round, self._standing
        train_s = standing.wall_s["train"]
        twins = self._recycler.counts(self._recycler.schedule.drawn_before(round_index + 1))
        return RoundRecord(
            round=round_index,
            learning_rate=self._engine.learning_rate.value,
            steps=steps,
            photos_per_s=steps * self._feed.photos_per_step / train_s,
            data_wait_share=standing.wait_share,
            losses=self._meter.means(),
            scores=standing.scores,
            rendered=twins.drawn,
            quarantined=twins.quarantined,
            wall_s=standing.wall_s,
            twins=twins.numbers(),
            staleness=standing.staleness,
        )

    def _weights(self, round_index: int) -> Path:
        """Return the weights at the end of a round."""
        return self._folder.checkpoints / CheckpointId(round_index).name / WEIGHTS

    def _lap(self, stage: str) -> None:
        """Count the time since the last call as a stage's, so that stages add up to the round."""
        now_s = time.perf_counter()
        self._standing.spend(stage, now_s - self._last_s)
        self._last_s = now_s

    @contextmanager
    def _log(self, begin: CheckpointId) -> Iterator[RunLog | None]:
        """Open the log, which only the first process keeps."""
        if not self._fabric.is_global_zero:
            yield None
            return
        start_step = (begin.round_index + begin.ended) * self._feed.steps_per_round + begin.step
        log = RunLog(self._folder, rounds=self._config.rounds, start_step=start_step)
        try:
            yield log
        finally:
            log.close()
