"""The hand model: MANO's fields, from MANO's own file or the open hand that comes with the package."""

from shared.hand_model.loading import load_hand_model
from shared.hand_model.model import HandModel

__all__ = ["HandModel", "load_hand_model"]
