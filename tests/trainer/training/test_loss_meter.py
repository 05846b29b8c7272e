import torch

from trainer.objective.step import StepLosses
from trainer.objective.terms import LossTerms
from trainer.training.loss_meter import LossMeter


def losses(total: float, joints: float) -> StepLosses:
    terms = LossTerms(*(torch.tensor(each) for each in (total, joints, joints, joints)))
    return StepLosses(
        total=torch.tensor(total),
        per_sample=torch.tensor([total]),
        original=terms,
        recycled=None,
        correlation=None,
    )


def test_a_term_without_labels_in_a_step_does_not_count_there_also_after_an_interruption() -> None:
    meter, again = LossMeter(), LossMeter()
    meter.add(losses(2.0, 1.0))
    meter.add(losses(4.0, torch.nan))
    again.load_state_dict(meter.state_dict(), device=torch.device("cpu"))
    for each in (meter, again):
        each.add(losses(6.0, 3.0))
        assert each.means()["total"] == 4
        assert each.means()["original/joints"] == 2


def test_a_term_that_never_had_labels_is_not_logged() -> None:
    meter = LossMeter()
    meter.add(losses(2.0, torch.nan))
    assert meter.means().keys() == {"total", "original"}
