"""How many predictions of a round were rendered, for its record and its line in the log."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Self

from shared.seams.renderer import RenderReport
from shared.twins.rounds import SyntheticRound
from trainer.recycle.refresh import RefreshPlan, read_plan
from trainer.run.folder import RunFolder


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinCounts:
    """How the predictions of a round were rendered.

    Attributes:
        drawn: Twins drawn from them.
        quarantined: Those that could not be drawn.
        kept: Twins of earlier rounds that stay.
        refresh_distances_mm: From predictions to the twins that they had, where the policy measures them.
        render_s: What this process spent on the render; None if another one, which was killed, finished it.
        report: What the renderer said about it; None likewise.
    """

    drawn: int = 0
    quarantined: int = 0
    kept: int = 0
    refresh_distances_mm: tuple[float, ...] = ()
    render_s: float | None = None
    report: RenderReport | None = None

    @classmethod
    def of(cls, run: RunFolder, round_index: int, renders: Mapping[int, tuple[float, RenderReport]]) -> Self:
        """Count the twins of a round; all is 0 if it has none.

        Args:
            run: Where they are stored.
            round_index: Round whose predictions were drawn.
            renders: Seconds and report of the renders that this process has seen, by round.
        """
        if round_index < 0 or not run.is_rendered(round_index):
            return cls()
        twins = SyntheticRound.open(run.synthetic(round_index))
        drawn = twins.count_by_round()[round_index]
        plan = read_plan(run.predictions(round_index)) or RefreshPlan()
        render_s, report = renders.get(round_index, (None, None))
        return cls(
            drawn=drawn,
            quarantined=twins.manifest.num_quarantined,
            kept=len(twins) - drawn,
            refresh_distances_mm=tuple(plan.distances_mm.values()),
            render_s=render_s,
            report=report,
        )

    def numbers(self) -> dict[str, float]:
        """Return what there is to tell, by name; ``saved_share`` is the share of the twins not drawn."""
        total = self.drawn + self.quarantined + self.kept
        numbers: dict[str, float] = {}
        if total:
            numbers |= {"kept": self.kept, "saved_share": self.kept / total}
        if self.refresh_distances_mm:
            numbers |= {
                "refresh_distance_mean_mm": fmean(self.refresh_distances_mm),
                "refresh_distance_max_mm": max(self.refresh_distances_mm),
            }
        if self.render_s is not None:
            numbers["render_s"] = self.render_s
        if self.report is not None:
            farm = ("workers", "lost_workers", "retried")
            numbers |= {name: getattr(self.report, name) for name in farm}
        return numbers
