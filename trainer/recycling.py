"""The other half of a round: predict the training photographs, and have the predictions drawn.

Alternating, a round ends when its predictions are drawn. Overlapping, it ends when those of the round before
are, and its own are drawn by a thread of the first process (and the processes that draw) while the next round
trains. Either way one render at a time, and what a round trains with depends on no clock.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from threading import Event
from types import TracebackType
from typing import Self

import torch
from lightning_fabric import Fabric

from shared.errors import ConfigError
from shared.files import sha256_of
from shared.freihand import FreiHandSplit
from shared.predictions import PredictionShard, read_predictions, write_predictions
from shared.renderer import Renderer, RenderJob, RenderReport, RenderStopped
from shared.rounds import MANIFEST, SyntheticRound
from trainer.background import Background
from trainer.config import TrainConfig
from trainer.engine import PATIENCE
from trainer.predict import CentreCrops, HandPredictions, predict_groups
from trainer.refresh import PLAN, RefreshPlan, plan_refresh, read_plan, write_plan
from trainer.run_folder import CONFIG, RunFolder
from trainer.run_log import photo_bar
from trainer.truth import labelled_hands
from trainer.types import HandNetwork

type Group = Sequence[int]
type Predict = Callable[[Sequence[Group]], Iterator[HandPredictions]]
"""Turns groups of photographs into hands, group by group."""


@dataclass(frozen=True, slots=True)
class TwinCounts:
    """What became of the predictions of a round.

    Attributes:
        drawn: Twins drawn from them.
        quarantined: Those that could not be drawn.
        kept: Twins of earlier rounds that stay.
        drift_mm: Distances between predictions and the twins that they had, where the policy measures them.
        render_s: What this process spent on the render; None if another one, which was killed, finished it.
        report: What the renderer said about it; None likewise.
    """

    drawn: int = 0
    quarantined: int = 0
    kept: int = 0
    drift_mm: tuple[float, ...] = ()
    render_s: float | None = None
    report: RenderReport | None = None

    def numbers(self) -> dict[str, float]:
        """Return what there is to tell, by name; ``saved_share`` is the share of the twins not drawn."""
        total = self.drawn + self.quarantined + self.kept
        numbers: dict[str, float] = {}
        if total:
            numbers |= {"kept": self.kept, "saved_share": self.kept / total}
        if self.drift_mm:
            numbers |= {"drift_mean_mm": fmean(self.drift_mm), "drift_max_mm": max(self.drift_mm)}
        if self.render_s is not None:
            numbers["render_s"] = self.render_s
        if self.report is not None:
            farm = ("workers", "lost_workers", "retried")
            numbers |= {name: getattr(self.report, name) for name in farm}
        return numbers


class Recycler:
    """Makes the twins of a run, and knows which round trains with which.

    Leaving it as a context stops a render that is under way; it goes on when the run is resumed.

    Args:
        fabric: The processes; each predicts some shards, and the first has them drawn.
        run: Where predictions and renders go.
        config: Of the run.
        split: The training photographs.
        indices: Which of them are learnt from, and so get twins.
        renderer: Draws; needed by the first process of a run that recycles.

    Raises:
        ConfigError: The run recycles and there is nobody to draw.
    """

    def __init__(
        self,
        fabric: Fabric,
        run: RunFolder,
        config: TrainConfig,
        split: FreiHandSplit,
        indices: Sequence[int],
        *,
        renderer: Renderer | None,
    ) -> None:
        if config.recycle is not None and renderer is None and fabric.is_global_zero:
            raise ConfigError(
                "recycle: expected a renderer to draw the twins, found none. Leave the table [recycle] out."
            )
        self._fabric, self._run, self._config = fabric, run, config
        self._split, self._renderer = split, renderer
        self._under_way: tuple[int, Background[float]] | None = None
        self._render_s: dict[int, float] = {}
        self._reports: dict[int, RenderReport] = {}
        size = config.render.shard_size
        self._groups = [indices[start : start + size] for start in range(0, len(indices), size)]
        # NCCL would keep every GPU busy waiting while the first process renders.
        self._crew = (
            torch.distributed.new_group(backend="gloo", timeout=PATIENCE) if fabric.world_size > 1 else None
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._under_way is not None:
            self._under_way[1].stop()

    def twins_for(self, round_index: int) -> Path | None:
        """Return the renders that a round trains with, if it has any."""
        recycle = self._config.recycle
        if recycle is None:
            return None
        if recycle.source == "ground_truth":
            return self._run.synthetic(0)
        drawn = self.round_drawn_before(round_index)
        return self._run.synthetic(drawn) if drawn >= recycle.warmup_rounds - 1 else None

    def round_drawn_before(self, round_index: int) -> int:
        """Return the round whose predictions are the last to have been drawn when a round begins."""
        recycle = self._config.recycle
        return round_index - 1 - (recycle.lag_rounds if recycle else 0)

    def is_wanted(self, round_index: int) -> bool:
        """Tell whether a round trains with renders of this round's predictions."""
        recycle = self._config.recycle
        if recycle is None or recycle.source == "ground_truth":
            return False
        first = round_index + 1 + recycle.lag_rounds
        return first < self._config.rounds and self.twins_for(first) is not None

    def staleness_in(self, round_index: int) -> dict[str, int]:
        """Count the twins that a round trains with by the rounds between their weights and it.

        0 is as fresh as in the paper: predicted by the weights that the round begins with. Labels do not age.
        """
        twins_dir, recycle = self.twins_for(round_index), self._config.recycle
        if twins_dir is None or recycle is None or recycle.source == "ground_truth":
            return {}
        counts = SyntheticRound.open(twins_dir).count_by_round()
        return {str(round_index - 1 - drawn): counts[drawn] for drawn in sorted(counts, reverse=True)}

    def predict(self, round_index: int, network: HandNetwork, *, autocast: torch.dtype | None) -> None:
        """Predict all training photographs with the network as it is when a round's training has ended.

        Args:
            round_index: That round.
            network: As it is then.
            autocast: Reduced precision, as in training.
        """
        data = self._config.data
        crops = CentreCrops(self._split, crop_px=data.crop_px, input_px=data.input_px)

        def predict(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return predict_groups(
                network,
                crops,
                groups,
                batch_size=4 * data.batch_size,
                workers=data.workers,
                autocast=autocast,
            )

        self._write_shards(round_index, predict)
        self._wait()

    def render(self, round_index: int, *, weights: Path) -> None:
        """Have predictions drawn until the next round has its twins, and forget the rounds nobody needs.

        Alternating, this draws the predictions of the round. Overlapping, it waits for those of the round
        before, and begins to draw those of this one.

        Args:
            round_index: Round whose training has just ended.
            weights: File with its weights, for provenance.

        Raises:
            MeshcycleError: Whatever the render, also of the round before, met with.
        """
        assert self._config.recycle is not None, "only a run that recycles draws"
        self._finish()
        if self.is_wanted(round_index):
            self._begin(round_index, weights)
        self._wait()
        newest = self.round_drawn_before(round_index + 1)
        if self._fabric.is_global_zero and self.is_wanted(newest):
            self._run.forget_rounds(before=newest - self._config.recycle.keep_rounds + 1)

    def resume(self, round_index: int, *, ended: bool, weights: Callable[[int], Path]) -> None:
        """Go on with the renders that a killed run left unfinished.

        Args:
            round_index: Round that the run goes on with.
            ended: Whether its training had ended.
            weights: Gives the weights of a round whose predictions are drawn.
        """
        before = self.round_drawn_before(round_index)
        for drawn in range(max(0, before + ended), round_index):
            if self.is_wanted(drawn):
                self._begin(drawn, weights(drawn))
            if drawn <= before:
                self._finish()
        self._wait()

    def draw_truth(self) -> None:
        """Have the labels drawn, once, as the twins of all rounds (Table 3)."""

        def look_up(groups: Sequence[Group]) -> Iterator[HandPredictions]:
            return (labelled_hands(self._split, group) for group in groups)

        self._write_shards(0, look_up)
        self._wait()
        self._begin(0, None)
        self._wait()

    def counts(self, round_index: int) -> TwinCounts:
        """Return what became of the predictions of a round, if they are drawn."""
        if round_index < 0 or not self._run.is_rendered(round_index):
            return TwinCounts()
        twins = SyntheticRound.open(self._run.synthetic(round_index))
        drawn = twins.count_by_round()[round_index]
        plan = read_plan(self._run.predictions(round_index)) or RefreshPlan()
        return TwinCounts(
            drawn=drawn,
            quarantined=len(twins.quarantined),
            kept=len(twins) - drawn,
            drift_mm=tuple(plan.drift_mm.values()),
            render_s=self._render_s.get(round_index),
            report=self._reports.get(round_index),
        )

    def _begin(self, round_index: int, weights: Path | None) -> None:
        """Draw the predictions of a round unless that was done; overlapping, in the background."""
        recycle = self._config.recycle
        if recycle is None or not self._fabric.is_global_zero or self._is_whole(round_index):
            return
        # A round that is drawn a second time, because its shards were deleted, may have outlived its weights.
        checkpoint_sha256 = sha256_of(weights) if weights and weights.exists() else ""
        work = partial(self._draw, round_index, checkpoint_sha256)
        if recycle.mode == "overlap":
            name = f"Rendering the predictions of round {round_index + 1}"
            self._under_way = (round_index, Background(work, name=name))
        else:
            self._render_s[round_index] = work(None)

    def _finish(self) -> None:
        """Wait for the render that is under way, if there is one."""
        if self._under_way is not None:
            round_index, render = self._under_way
            self._render_s[round_index] = render.result()
            self._under_way = None

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

    def _draw(self, round_index: int, checkpoint_sha256: str, stop: Event | None) -> float:
        """Plan a round, draw what the plan says, and return how many seconds that took."""
        started_s = time.perf_counter()
        assert self._renderer is not None, "checked when the run began"
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
        )
        self._reports[round_index] = self._renderer.render_round(job, stop=stop)
        return time.perf_counter() - started_s

    def _plan(self, round_index: int, stop: Event | None) -> RefreshPlan:
        """Compare a round's predictions with the twins of the round before."""
        recycle = self._config.recycle
        assert recycle is not None, "only a run that recycles draws"
        before = round_index - 1
        twins_dir = self._run.synthetic(before)
        has_twins = before >= 0 and self._run.is_rendered(before)
        return plan_refresh(
            recycle.refresh,
            self._predictions(round_index, stop),
            SyntheticRound.open(twins_dir) if has_twins else None,
            round_index=round_index,
            seed=self._config.seed,
        )

    def _predictions(self, round_index: int, stop: Event | None) -> Iterator[PredictionShard]:
        for path in sorted(self._run.predictions(round_index).glob("shard-*.safetensors")):
            if stop is not None and stop.is_set():
                raise RenderStopped(f"{path}: the render was stopped")
            yield read_predictions(path)

    def _write_shards(self, round_index: int, predict: Predict) -> None:
        """Write the shards that are this process's and not there yet; a shard that has its name is whole."""
        folder = self._run.predictions(round_index)
        numbers = range(self._fabric.global_rank, len(self._groups), self._fabric.world_size)
        paths = {number: folder / f"shard-{number:05d}.safetensors" for number in numbers}
        missing = [number for number, path in paths.items() if not path.exists()]
        predicted = predict([self._groups[number] for number in missing])
        bar = photo_bar(
            "predicting",
            total=sum(len(self._groups[number]) for number in missing),
            visible=self._fabric.is_global_zero,
        )
        for number, hands in zip(missing, predicted, strict=True):
            bar.update(len(hands))
            shard = PredictionShard(
                sample_ids=hands.sample_ids,
                verts_m=hands.verts_m,
                joints_m=hands.joints_m,
                cameras=hands.cameras,
                round_index=round_index,
                image_px=self._split.image_px,
            )
            write_predictions(paths[number], shard)
        bar.close()

    def _wait(self) -> None:
        """Wait for the other processes."""
        if self._crew is not None:
            torch.distributed.barrier(group=self._crew)
