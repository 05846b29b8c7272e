"""The table [recycle] of a training configuration: what is drawn again, when, how, and what for."""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from shared.ranges import Count, Share, Weight
from shared.records import Section
from shared.storage.location import is_url
from shared.twins.variation import PoseSpreadDeg, SpreadDeg, Variation
from trainer.config.places import Place


class AllRefresh(Section):
    """Draw every sample in every round, as the paper does."""

    policy: Literal["all"] = "all"
    """Name of the policy."""


class FractionRefresh(Section):
    """Draw a share of the samples in every round; the others keep the twin that they have."""

    policy: Literal["fraction"]
    """Name of the policy."""
    share: float = Field(gt=0, le=1)
    """Of the samples; each is drawn at least once in 1 / share rounds, rounded up."""


class DriftRefresh(Section):
    """Draw the samples whose predicted hand has moved since their twin was drawn."""

    policy: Literal["drift"]
    """Name of the policy."""
    threshold_mm: float = Field(ge=0, le=1000)
    """Render again from this distance on: the mean over the vertices, not aligned, in 3D or in the picture,
    whichever is larger. ``metrics.jsonl`` lists its mean and maximum as ``refresh_distance``. A short run
    with 0, which renders everything, shows which value to choose. The gallery shows another distance, which
    is aligned and smaller: do not choose by that."""
    max_age_rounds: Count | None = None
    """Render a twin again after this many rounds even if its hand has not moved: for new backgrounds, and
    because a shard stays on the disk while one of its twins is used."""


type RefreshConfig = Annotated[AllRefresh | FractionRefresh | DriftRefresh, Field(discriminator="policy")]


class RecycleConfig(Section):
    """The second pass. Leave the whole table out to train the baseline."""

    backgrounds: Place
    """Database that ``filter-backgrounds`` wrote: a folder that every render worker can read, or a URL such
    as ``s3://bucket/backgrounds``, which every machine fetches once."""
    alpha: Weight = 1.0
    """Weight of the photographs; 0 learns from renders alone (Table 3)."""
    beta: Weight = 0.3
    """Weight of the twins. The paper sets it equal to alpha, as the files of its rows do; at 0.3 twins teach
    as much about backgrounds, and cost nothing on those of the photographs (EXPERIMENTS.md)."""
    gamma: Weight = 0.1
    """Weight of the self-correlation; 0 trains Table 2's middle rows. The paper does not say. Keep it well
    below alpha and beta: at 1, absolute distances cancel the labels (see `SelfCorrelationLoss`)."""
    warmup_rounds: Count = 1
    """Rounds on photographs alone, before predictions are worth rendering. The paper does not say."""
    start_below_mm: float | None = Field(default=None, gt=0, le=1000)
    """Render predictions from the first round on whose held-out PA-MPJPE is below this, so that nothing is
    drawn that is not a hand yet; until then all is as in the warm-up. The paper does not say."""
    source: Literal["prediction", "ground_truth"] = "prediction"
    """What is rendered; ``ground_truth`` renders the labels, before every round as `refresh` says, with the
    photographs' own cameras (Table 3)."""
    target: Literal["ground_truth", "rendered"] = "ground_truth"
    """Target of a twin: the photograph's labels, or the hand that was rendered. The paper does not say."""
    detach_original: bool = True
    """Keep the self-correlation from moving the photograph's prediction. The paper does not say; the more
    accurate of the two predictions then loses nothing to the other (EXPERIMENTS.md)."""
    centre_projected: bool = False
    """Keypoints in the image lose their mean before the self-correlation compares them (Eq. 5), as those in
    space do. Sec. 4.2 can be read either way; false compares where the two hands are, too."""
    compared: Literal["mesh", "all"] = "mesh"
    """What Eq. 3 to 5 compare: the final mesh and the joints regressed from it; or ``all``, joint tokens and
    the coarse mesh too, as Eq. 7 to 9 do for networks that have them. The paper does not say."""
    projected_with: Literal["own", "photograph"] = "own"
    """Camera that shows a twin's keypoints in Eq. 5: the one that the network predicts for the twin, or the
    one for its photograph, from the same wrist. Eq. 5 can be read either way; with ``photograph`` the
    self-correlation compares no places in the image, and moves no camera of a twin."""
    mode: Literal["alternate", "overlap"] = "alternate"
    """``alternate`` renders between the rounds, as the paper does. ``overlap`` renders a round's predictions
    while the next round trains, so that twins are one round staler and warm-up lasts one round longer; such a
    run cannot be given more ``rounds`` later."""
    refresh: RefreshConfig = AllRefresh()
    """Which twins are drawn again in a round; the others are shown again as they are. The paper draws all.
    ``{ policy = "fraction", share = 0.25 }`` draws each in turn; ``{ policy = "drift", threshold_mm = 2 }``
    draws those whose predicted hand has moved by so much since, or that are older than ``max_age_rounds``."""
    twins_per_photograph: int = Field(default=1, ge=1, le=64)
    """Twins of every photograph in a round, on different backgrounds; they share the weights of one. The
    paper has one. Each costs as much time as a photograph, in rendering and in training."""
    samples: Literal["all", "hard"] = "all"
    """``hard`` draws as many twins as ``all``, but about four times as many of the photographs whose earlier
    twins the network sees most wrongly, and fewer of the others, which may get none in a round. For that it
    predicts its twins at the end of every round, and compares with the hands that were drawn: no label is
    needed. Not of the paper."""
    view_spread_deg: SpreadDeg = 0.0
    """Turn every hand in space before it is drawn, by up to this about any axis, so that twins show sides
    that no photograph has. Not of the paper. Labels turn with the hand, hence `target` must be ``rendered``;
    the self-correlation turns predictions back before it compares them."""
    pose_spread_deg: PoseSpreadDeg = 0.0
    """Bend the fingers of every hand before it is drawn, by random angles of this standard deviation, within
    what joints can do: the predicted mesh itself, about its own joints, so that `target` must be
    ``rendered``. Then the two passes see two poses, and what the newest network says of the photograph
    would add nothing to the exact label of the twin: `gamma` must be 0. Not of the paper."""
    occluded: Share = 0.0
    """Share of the twins that are partly hidden: by a thing that the hand touches or holds, by one before it,
    or by a second hand, each as often. Such twins have a pinhole camera, hence `target` must be ``rendered``.
    Not of the paper."""
    keep_rounds: Count = 2
    """Number of rounds whose twins and predictions stay on the disk. An older shard stays while one of these
    rounds uses a twin in it."""
    store: str | None = None
    """URL such as ``s3://bucket/rounds`` that gets the shards of twins instead of run_dir, in a folder of the
    run's own. Workers write there and training reads there, so that no machine needs a folder of another, and
    no picture passes through this one."""

    @property
    def variation(self) -> Variation:
        """How a round varies its hands before they are drawn."""
        return Variation(
            view_spread_deg=self.view_spread_deg,
            pose_spread_deg=self.pose_spread_deg,
            occluded=self.occluded,
        )

    @property
    def lag_rounds(self) -> int:
        """Rounds between the weights that predicted the newest twins and the round that trains with them."""
        return 1 if self.mode == "overlap" else 0

    @field_validator("store")
    @classmethod
    def _is_a_url(cls, store: str | None) -> str | None:
        if store is not None and not is_url(store):
            raise ValueError("a URL; for a folder that all machines see, let run_dir be there")
        return store

    @model_validator(mode="after")
    def _truth_neither_waits_nor_moves(self) -> Self:
        if self.source == "ground_truth" and (self.mode != "alternate" or self.refresh.policy == "drift"):
            raise ValueError(
                "the ground truth waits for no network and never moves, so mode and a refresh by drift mean "
                'nothing: leave them out, or take refresh = { policy = "fraction", share = 0.25 }'
            )
        return self

    @model_validator(mode="after")
    def _hard_samples_are_predicted_and_chosen_anew(self) -> Self:
        if self.samples == "hard" and (self.source != "prediction" or self.refresh.policy != "all"):
            raise ValueError(
                'predictions, all drawn again, beside samples = "hard", which decides what a round draws: '
                "leave source and refresh out"
            )
        return self

    @model_validator(mode="after")
    def _varied_hands_have_their_own_labels(self) -> Self:
        varied = ", ".join(self.variation.fields_set())
        if varied and self.target != "rendered":
            raise ValueError(
                f'target = "rendered" beside {varied}, because hands are drawn that are not those in the '
                f'photographs; found "{self.target}"'
            )
        if varied and self.refresh.policy == "drift":
            raise ValueError(
                f"no refresh by drift beside {varied}, because hands are drawn that are not those predicted: "
                'leave it out, or take refresh = { policy = "fraction", share = 0.25 }'
            )
        return self

    @model_validator(mode="after")
    def _other_poses_are_not_compared(self) -> Self:
        if self.pose_spread_deg > 0 and self.gamma > 0:
            raise ValueError(
                "gamma = 0 beside pose_spread_deg, because photograph and twin then show two poses; "
                f"found {self.gamma}"
            )
        return self
