"""Tables of a training configuration, except [data], [model], and [recycle]; every field says what it is."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from shared.import_path import ImportPath
from shared.ranges import Count, Share, Weight
from shared.records import Section

type BoxScale = Annotated[float, Field(ge=0.1, le=20)]
"""Side of a crop, in longer sides of a hand's box."""


class AugmentConfig(Section):
    """Random changes of the input; photograph and twin share the geometric ones. FastMETRO's numbers."""

    rotation_sd_deg: float = Field(default=90.0, ge=0, le=180)
    """Rotation, standard deviation in degrees; clipped to ±2 s.d."""
    rotation_probability: Share = 0.4
    """Share of the samples that are rotated."""
    scale_sd: float = Field(default=0.25, ge=0, lt=1)
    """Side of the crop around 1, standard deviation; clipped to ±1 s.d. A larger one shows a smaller hand."""
    shift_ndc: float = Field(default=0.0, ge=0, le=2)
    """Largest shift in both directions; the crop is 2 wide."""
    upright_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the crops that are turned so that the middle knuckle is above the wrist, and scaled to the
    hand's own box; the others follow the keys above. For networks that see boxes (``model.box_margin``). Not
    of the paper."""
    upright_sd_deg: float = Field(default=15.0, ge=0, le=180)
    """How far upright crops are turned after all, standard deviation; clipped to ±2 s.d."""
    box_scale: tuple[BoxScale, BoxScale] = (1.1, 1.6)
    """Side of upright crops, in longer sides of the hand's box: the least and the largest."""
    colour_noise: float = Field(default=0.4, ge=0, lt=1)
    """Each channel is multiplied with up to 1 ± this, independently for photograph and twin."""
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Hues are turned by up to this, either way, as a share of the circle. All from here on is not of the
    paper, is drawn independently for photograph and twin, and changes nothing at 0."""
    saturation: float = Field(default=0.0, ge=0, le=1)
    """Colours are made stronger or weaker by up to 1 ± this."""
    grey_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the crops without colours."""
    gamma: float = Field(default=0.0, ge=0, le=9)
    """Brightness is raised to a power between 1 / (1 + this) and 1 + this: dim and pale crops."""
    contrast: float = Field(default=0.0, ge=0, le=1)
    """Contrast is multiplied with up to 1 ± this."""
    brightness: float = Field(default=0.0, ge=0, le=1)
    """Up to this is added to or taken from brightness, of which white has 1."""
    blur_px: float = Field(default=0.0, ge=0, le=20)
    """Largest standard deviation of a blur, in pixels of the crop."""
    noise_levels: float = Field(default=0.0, ge=0, le=128)
    """Largest standard deviation of noise, in levels of 255."""
    jpeg_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the crops that are compressed as JPEG, with a quality from 30 to 95."""
    cut_out_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the crops of which a rectangle is hidden, a tenth to two fifths of the side wide and high."""


class LossConfig(Section):
    """Weights of the terms of a comparison with labels; FastMETRO's.

    Terms that a network has no output for vanish. The self-correlation has those of joints, verts and
    projected. Lengths are metres and image coordinates are ndc, so 1000 makes a millimetre count as 1.
    """

    joints: Weight = 1000.0
    """Joints regressed from the mesh, plus joint tokens where there are any."""
    verts: Weight = 100.0
    """Vertices; half fine and half coarse mesh where there is a coarse one."""
    projected: Weight = 100.0
    """Both sets of joints, projected into the crop."""
    projected_outside: bool = True
    """Joints outside of the crop count in `projected` too, as in the paper; false where crops cut hands off,
    so that nobody guesses."""
    joints_norm: Literal["l1", "l2"] = "l1"
    """Elementwise distance of joints: absolute, or squared as METRO and Mesh Graphormer have it."""
    verts_norm: Literal["l1", "l2"] = "l1"
    """Elementwise distance of vertices."""
    projected_norm: Literal["l1", "l2"] = "l1"
    """Elementwise distance of projected joints: squared in METRO and Mesh Graphormer."""
    edges: Weight = 100.0
    """Lengths of the mesh's edges."""
    normals: Weight = 10.0
    """Edges against the true normals of their faces."""
    extra: dict[ImportPath, Weight] = Field(default_factory=dict)
    """Terms of your own and their weights, as in ``extra = { "mypackage.losses:bend" = 10 }``: functions of a
    prediction and its labels that return one number per hand (docs/own_parts.md)."""
    heat: Weight = 20.0
    """Heat maps against a hill of one cell about each joint. Not of the paper: only joint_reader has them."""

    @model_validator(mode="after")
    def _some_term_of_the_mesh_counts(self) -> Self:
        if not any((self.joints, self.verts, self.projected, self.edges, self.normals)):
            raise ValueError(
                "joints, verts, projected, edges and normals are 0, so no mesh would be learned: set one"
            )
        return self


class OptimiserConfig(Section):
    """AdamW and its learning rate."""

    learning_rate: float = Field(default=1e-4, gt=0, le=10)
    """The highest one, where the schedule changes it."""
    weight_decay: float = Field(default=1e-4, ge=0, le=100)
    """Decoupled, on all parameters."""
    clip_norm: float = Field(default=0.3, ge=0, le=1e9)
    """Largest norm of the gradient; 0 does not clip."""
    accumulate: int = Field(default=1, ge=1, le=65_536)
    """Batches whose gradients are added up for one step: with 4, one process learns from the same photographs
    in a step as four do, in four times the time."""
    photos_per_step: int | None = Field(default=None, ge=1, le=10_000_000)
    """Photographs per step that the other numbers are meant for. Training warns where processes, batch size
    and `accumulate` make another number."""
    ema_decay: float = Field(default=0.0, ge=0, lt=1)
    """Share that stays, in a step, of a running mean of the weights; the mean is then what is scored, drawn
    from, and saved. 0.998 averages over 500 steps; 0 uses the weights as they are, as the paper does."""
    schedule: Literal["plateau", "tenth_at_half", "one_cycle", "cosine", "constant"] = "plateau"
    """The paper halves the rate when PA-MPJPE stops reaching its best. METRO learns the second half of a run
    at a tenth of the rate; the cycles suit short runs."""
    plateau_factor: float = Field(default=0.5, gt=0, lt=1)
    """Factor of one reduction."""
    plateau_patience: int = Field(default=5, ge=0, le=100_000)
    """Rounds without a new best held-out PA-MPJPE that pass without consequence; the next such round, with 5
    the sixth, reduces the rate. The paper does not say."""


class ComputeConfig(Section):
    """Where and how the arithmetic happens. Nothing here belongs to the method."""

    accelerator: Literal["auto", "cpu", "cuda"] = "auto"
    """Kind of device. ``torchrun`` decides how many processes train together."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """Arithmetic of the network; the losses stay in 32 bits."""
    compile: bool = False
    """Fuse the network's kernels with torch.compile: minutes at the start, faster steps after."""


class CheckpointConfig(Section):
    """What is kept to resume from."""

    every_steps: Count = 1000
    """Optimiser steps between two checkpoints inside a round."""
    keep_last: Count = 2
    """Rounds whose checkpoints stay, besides the best."""


type LoggerName = Literal["tensorboard", "csv", "wandb", "mlflow"]


class LogConfig(Section):
    """Where losses, scores and pictures go besides ``metrics.jsonl``, which is always written."""

    to: tuple[LoggerName, ...] = ("tensorboard",)
    """``tensorboard`` and ``csv`` write into the run's folder; ``wandb`` and ``mlflow`` are extras, as in
    ``pip install 'meshcycle[wandb]'``, and follow their own variables, such as WANDB_MODE and
    MLFLOW_TRACKING_URI."""
    pictures: int = Field(default=4, ge=0, le=64)
    """Photographs shown after every round, with their prediction, their twin, and the prediction of that;
    ``csv`` shows none."""
