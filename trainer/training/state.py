"""All of a run that must survive it: weights, optimiser, running means, and where it stands."""

from dataclasses import asdict, dataclass, field

from trainer.run.checkpoint import CheckpointId, latest_checkpoint, load_state, load_weights, save_checkpoint
from trainer.run.folder import RunFolder
from trainer.training.learner import Learner
from trainer.training.loss_meter import LossMeter


@dataclass(slots=True)
class LoopState:
    """Where a run stands, besides its weights: plain numbers.

    Attributes:
        wall_s: Duration of each stage of the round so far.
        wait_s: Of training, the time spent waiting for data.
        staleness: Twins that the round trains with, by their staleness in rounds.
        scores: On the held-out poses, once the round's training has ended.
        best_mm: Lowest held-out PA-MPJPE of any round.
        best_round: That round.
    """

    wall_s: dict[str, float] = field(default_factory=dict)
    wait_s: float = 0.0
    staleness: dict[str, int] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    best_mm: float = float("inf")
    best_round: int = 0

    @property
    def wait_share(self) -> float:
        """Share of the round's training so far that was spent waiting for data."""
        train_s = self.wall_s.get("train", 0.0)
        return self.wait_s / train_s if train_s > 0 else 0.0

    def spend(self, stage: str, seconds: float) -> None:
        """Add to the duration of a stage."""
        self.wall_s[stage] = self.wall_s.get(stage, 0.0) + seconds

    def note_scores(self, round_index: int, scores: dict[str, float]) -> None:
        """Keep the scores of a round, and remember it if it is the best."""
        self.scores = scores
        if scores["pa_mpjpe_mm"] < self.best_mm:
            self.best_mm, self.best_round = scores["pa_mpjpe_mm"], round_index

    def next_round(self) -> None:
        """Forget what belongs to one round only."""
        self.wall_s, self.wait_s, self.staleness, self.scores = {}, 0.0, {}, {}


@dataclass(frozen=True, slots=True)
class CheckpointManager:
    """The parts of a run that change, and the folder that keeps their checkpoints.

    Attributes:
        folder: Of the run.
        engine: Network, optimiser, learning rate, and scaler.
        meter: Running means of the losses.
        standing: Everything else.
    """

    folder: RunFolder
    engine: Learner
    meter: LossMeter
    standing: LoopState

    def save(self, moment: CheckpointId) -> None:
        """Write a checkpoint; only the first process does."""
        if not self.engine.fabric.is_global_zero:
            return
        state = {
            "engine": self.engine.state_dict(),
            "meter": self.meter.state_dict(),
            "standing": asdict(self.standing),
        }
        path = self.folder.checkpoints / moment.name
        save_checkpoint(path, self.engine.network, state, texts=self.folder.texts)

    def restore(self) -> CheckpointId | None:
        """Go back to the latest checkpoint and return its moment; None if there is none.

        Raises:
            CheckpointError: The checkpoint is damaged or belongs to another network.
        """
        path = latest_checkpoint(self.folder.checkpoints)
        if path is None:
            return None
        load_weights(self.engine.network, path)
        state = load_state(path)
        self.engine.load_state_dict(state["engine"])
        self.meter.load_state_dict(state["meter"], device=self.engine.fabric.device)
        for name, value in state["standing"].items():
            setattr(self.standing, name, value)
        return CheckpointId.parse(path.name)
