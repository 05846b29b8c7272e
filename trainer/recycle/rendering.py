"""Having predictions drawn, one round after the other, by a renderer that the trainer is handed.

Overlapping, a thread of the first process (and the processes that draw) does it while the next round trains.
"""

import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from threading import Event

from shared.seams.renderer import Renderer, RenderJob, RenderReport, RenderStopped
from shared.storage.files import sha256_of
from shared.twins.manifest import MANIFEST
from shared.twins.predictions import PredictionShard, read_predictions
from shared.twins.rounds import SyntheticRound
from trainer.config.recycling import RecycleConfig
from trainer.config.run import TrainConfig
from trainer.recycle.background_task import BackgroundTask
from trainer.recycle.hard_samples import hard_twins, most_twins
from trainer.recycle.refresh import PLAN, RefreshPlan, plan_refresh, read_plan, write_plan
from trainer.run.folder import RunFolder
from trainer.run.stored_config import CONFIG

type Render = tuple[float, RenderReport]
"""How many seconds it took, and what the renderer said about it."""


class RoundRenderer:
    """Draws what the refresh policy says of every round; there is at most one render at a time.

    Args:
        run: Where predictions and renders are stored.
        config: Of the run.
        recycle: How it recycles.
        renderer: Draws.

    Attributes:
        renders: Those that have ended, by round.
    """

    def __init__(
        self, run: RunFolder, config: TrainConfig, recycle: RecycleConfig, renderer: Renderer
    ) -> None:
        self._run, self._config, self._recycle, self._renderer = run, config, recycle, renderer
        self._under_way: tuple[int, BackgroundTask[Render]] | None = None
        self.renders: dict[int, Render] = {}

    def begin(self, round_index: int, weights: Path | None) -> None:
        """Draw the predictions of a round unless that was done; overlapping, in the background.

        Args:
            round_index: That round.
            weights: File with the weights that predicted, for provenance; None if labels are drawn.
        """
        if self._is_whole(round_index):
            return
        # A round that is drawn a second time, because its shards were deleted, may have outlived its weights.
        checkpoint_sha256 = sha256_of(weights) if weights and weights.exists() else ""
        work = partial(self._draw, round_index, checkpoint_sha256)
        if self._recycle.mode == "overlap":
            name = f"Rendering the predictions of round {round_index + 1}"
            self._under_way = (round_index, BackgroundTask(work, name=name))
        else:
            self.renders[round_index] = work(None)

    def finish(self) -> None:
        """Wait for the render that is under way, if there is one.

        Raises:
            MeshcycleError: Whatever it met with.
        """
        if self._under_way is not None:
            round_index, render = self._under_way
            self.renders[round_index] = render.result()
            self._under_way = None

    def stop(self) -> None:
        """End the render that is under way; resuming the run continues it."""
        if self._under_way is not None:
            self._under_way[1].stop()

    def _is_whole(self, round_index: int) -> bool:
        """Whether a round is committed and has all its shards; otherwise it is planned and drawn anew."""
        if not self._run.is_rendered(round_index):
            return False
        directory = self._run.synthetic(round_index)
        if not SyntheticRound.open(directory).missing_shards():
            return True
        (directory / MANIFEST).unlink()
        (self._run.predictions(round_index) / PLAN).unlink(missing_ok=True)
        return False

    def _draw(self, round_index: int, checkpoint_sha256: str, stop: Event | None) -> Render:
        """Plan a round, and draw what the plan says."""
        started_s = time.perf_counter()
        predictions_dir = self._run.predictions(round_index)
        plan = read_plan(predictions_dir)
        if plan is None:
            plan = self._plan(round_index, stop)
            if plan.drawn is not None:
                write_plan(predictions_dir, plan)
        job = RenderJob(
            predictions_dir=predictions_dir,
            out_dir=self._run.synthetic(round_index),
            round_index=round_index,
            run_seed=self._config.seed,
            checkpoint_sha256=checkpoint_sha256,
            config_sha256=sha256_of(self._run.root / CONFIG),
            sample_ids=None if plan.drawn is None else frozenset(plan.drawn),
            kept=plan.kept,
            most_twins=self._most_twins(),
            variation=self._recycle.variation,
            store=self._run.store,
        )
        report = self._renderer.render_round(job, stop=stop)
        return time.perf_counter() - started_s, report

    def _plan(self, round_index: int, stop: Event | None) -> RefreshPlan:
        """Compare a round's predictions with the twins of the round before."""
        if self._recycle.samples == "hard":
            return self._plan_by_difficulty(round_index, stop)
        before = round_index - 1
        twins_dir = self._run.synthetic(before)
        has_twins = before >= 0 and self._run.is_rendered(before)
        return plan_refresh(
            self._recycle.refresh,
            self._predictions(round_index, stop),
            SyntheticRound.open(twins_dir, cache_mb=self._config.data.cache_mb) if has_twins else None,
            round_index=round_index,
            seed=self._config.seed,
            twins_per_photograph=self._recycle.twins_per_photograph,
        )

    def _plan_by_difficulty(self, round_index: int, stop: Event | None) -> RefreshPlan:
        """Share the twins of a round out by the newest errors that are known."""
        photographs: list[str] = []
        before = read_plan(self._run.predictions(round_index - 1)) if round_index else None
        errors_mm = dict(before.recycled_mm) if before else {}
        for shard in self._predictions(round_index, stop):
            photographs += shard.sample_ids
            if shard.recycled_mm is not None:
                found = zip(shard.sample_ids, shard.recycled_mm.tolist(), strict=True)
                errors_mm |= {name: error_mm for name, error_mm in found if math.isfinite(error_mm)}
        drawn = hard_twins(
            photographs,
            errors_mm,
            twins_per_photograph=self._recycle.twins_per_photograph,
            round_index=round_index,
            seed=self._config.seed,
        )
        return RefreshPlan(drawn=drawn, recycled_mm=errors_mm)

    def _most_twins(self) -> int:
        twins = self._recycle.twins_per_photograph
        return most_twins(twins) if self._recycle.samples == "hard" else twins

    def _predictions(self, round_index: int, stop: Event | None) -> Iterator[PredictionShard]:
        for path in sorted(self._run.predictions(round_index).glob("shard-*.safetensors")):
            if stop is not None and stop.is_set():
                raise RenderStopped(f"{path}: the render was stopped")
            yield read_predictions(path)
