"""Everything that a checkpoint of a run holds: weights, optimiser, running means, and plain numbers."""

from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from shared.errors import CheckpointError
from trainer.run.checkpoint import (
    STATE,
    CheckpointId,
    latest_checkpoint,
    load_state,
    load_weights,
    save_checkpoint,
)
from trainer.run.folder import RunFolder
from trainer.training.learner import Learner
from trainer.training.loss_meter import LossMeter


@dataclass(slots=True, kw_only=True)
class LoopState:
    """The progress of a run, besides its weights: plain numbers.

    Attributes:
        wall_s: Duration of each stage of the round so far.
        wait_s: Of training, the time spent waiting for data.
        staleness: Twins that the round trains with, by their staleness in rounds.
        scores: On the held-out poses, once the round's training has ended.
        best_mm: Lowest held-out PA-MPJPE of any round.
        best_round: That round.
        good_since: First round whose PA-MPJPE was below the run's ``start_below_mm``; None while there is
            none, or no such limit.
    """

    wall_s: dict[str, float] = field(default_factory=dict)
    wait_s: float = 0.0
    staleness: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    best_mm: float = float("inf")
    best_round: int = 0
    good_since: int | None = None

    @property
    def wait_share(self) -> float:
        """Share of the round's training so far that was spent waiting for data."""
        train_s = self.wall_s.get("train", 0.0)
        return self.wait_s / train_s if train_s > 0 else 0.0

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the duration of a stage."""
        self.wall_s[stage] = self.wall_s.get(stage, 0.0) + seconds

    def note_scores(
        self, round_index: int, scores: dict[str, float], *, limit_mm: float | None = None
    ) -> None:
        """Keep the scores of a round, and remember it if it is the best, or the first below a limit."""
        if limit_mm is not None and self.good_since is None and scores["pa_mpjpe_mm"] < limit_mm:
            self.good_since = round_index
        self.scores = scores
        if scores["pa_mpjpe_mm"] < self.best_mm:
            self.best_mm, self.best_round = scores["pa_mpjpe_mm"], round_index

    def next_round(self) -> None:
        """Forget what belongs to one round only."""
        self.wall_s, self.wait_s, self.staleness, self.scores = {}, 0.0, {}, {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a saved state."""
        saved = _saved_state.validate_python(state)
        self.wall_s, self.wait_s = saved.wall_s, saved.wait_s
        self.staleness, self.scores = saved.staleness, saved.scores
        self.best_mm, self.best_round = saved.best_mm, saved.best_round
        self.good_since = saved.good_since


_saved_state = TypeAdapter(LoopState)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointManager:
    """The parts of a run that change, and the folder that keeps their checkpoints.

    Attributes:
        folder: Of the run.
        learner: Network, optimiser, learning rate, and scaler.
        meter: Running means of the losses.
        loop: Everything else.
    """

    folder: RunFolder
    learner: Learner
    meter: LossMeter
    loop: LoopState

    def save(self, checkpoint: CheckpointId) -> None:
        """Write a checkpoint; only the first process does."""
        if not self.learner.fabric.is_global_zero:
            return
        state = {  # these keys are part of the format
            "engine": self.learner.state_dict(),
            "meter": self.meter.state_dict(),
            "standing": asdict(self.loop),
        }
        path = self.folder.checkpoints / checkpoint.name
        save_checkpoint(path, self.learner.network, state, texts=self.folder.texts)

    def restore(self) -> CheckpointId | None:
        """Load the latest checkpoint and return which one it is; None if there is none.

        Raises:
            CheckpointError: The checkpoint is damaged or belongs to another network.
        """
        path = latest_checkpoint(self.folder.checkpoints)
        if path is None:
            return None
        load_weights(self.learner.network, path)
        state = load_state(path)
        try:
            self.learner.load_state_dict(state["engine"])
            self.meter.load_state_dict(state["meter"], device=self.learner.fabric.device)
            self.loop.load_state_dict(state["standing"])
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, IndexError) as error:
            raise CheckpointError(
                f"{path / STATE}: expected the state of a run, found {str(error).splitlines()[0]}.",
                remedy="Delete this checkpoint: training resumes from the one before.",
            ) from error
        return CheckpointId.parse(path.name)
