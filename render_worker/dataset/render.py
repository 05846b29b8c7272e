"""Makes a data set in FreiHAND's layout: hands with exact labels, photographed by Blender."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from render_worker.dataset.portrait import PortraitRequest
from render_worker.dataset.realism import Realism
from render_worker.progress import FrameBar
from render_worker.requests import FailedRequest, RequestRenderer
from shared.errors import RenderError
from shared.freihand import LabelledHand, SplitName
from shared.freihand.writer import FreiHandWriter
from shared.seeds import rng_of
from shared.twins.sample import LOOK_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReport:
    """What became of a data set.

    Attributes:
        split: Which split it is.
        made: Images that were rendered now.
        found: Images that an earlier, interrupted attempt had rendered.
        wall_s: Duration of the call.
    """

    split: SplitName
    made: int
    found: int
    wall_s: float

    def to_text(self) -> str:
        """Return the numbers in a line."""
        kept = f", {self.found} kept from before" if self.found else ""
        return f"{self.split}: {self.made} images made in {self.wall_s:.1f} s{kept}"

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def render_dataset(
    renderer: RequestRenderer,
    out: Path,
    split: SplitName,
    hand_of: Callable[[int], LabelledHand],
    *,
    num_images: int,
    seed: int,
    num_versions: int = 1,
    realism: Realism | None = None,
    source: str = "",
    is_film: bool = False,
) -> DatasetReport:
    """Render one split; repeating the call after an interruption renders only what is missing.

    Args:
        renderer: A render pool.
        out: Folder of the data set.
        split: Which split to make.
        hand_of: Returns the labels of a pose by its number; the same number must give the same hand.
        num_images: Images to make.
        seed: Of skin, light, backgrounds and noise.
        num_versions: Pictures of each pose: image i shows pose i modulo num_images / num_versions.
        realism: What the pictures show besides hands.
        source: Says which hands `hand_of` returns.
        is_film: The images are frames of a film: they look alike, and nobody else is in them.

    Raises:
        DatasetError: The folder holds another data set.
        RenderError: A hand cannot be seen by its camera.
    """
    start_s = time.monotonic()
    realism = realism or Realism()
    settings = json.dumps(renderer.settings.picture_fields(), separators=(",", ":"))
    inputs = (
        f"{LOOK_VERSION} {source} {seed} {settings} {realism.model_dump_json()} "
        f"{renderer.photographs.fingerprint} {renderer.hand_model.sha256}"
    )
    writer = FreiHandWriter(
        out,
        split,
        num_images=num_images,
        num_versions=num_versions,
        identity=hashlib.sha256(inputs.encode()).hexdigest(),
    )
    missing = writer.missing()
    if missing:
        renderer.start()
    requests = (
        PortraitRequest(
            hand=replace(hand_of(index % writer.num_poses), index=index),
            seed=seed,
            realism=realism,
            other=None
            if is_film
            else _other(hand_of, index, writer.num_poses, seed=seed, share=realism.second_hand),
            film=0 if is_film else None,
        )
        for index in missing
    )
    with FrameBar(f"Making {split} images", total=len(missing)) as bar:
        for request, answer in renderer.render(requests):
            if isinstance(answer, FailedRequest):
                raise RenderError(f"image {answer.sample_id}: {answer.reason}")
            assert isinstance(request, PortraitRequest), "only portraits were asked for"
            writer.add(request.hand, answer.jpeg, mask_jpeg=answer.mask_jpeg)
            bar.update(renderer.stats)
    writer.finish()
    return DatasetReport(
        split=split, made=len(missing), found=num_images - len(missing), wall_s=time.monotonic() - start_s
    )


def _other(
    hand_of: Callable[[int], LabelledHand], index: int, num_poses: int, *, seed: int, share: float
) -> LabelledHand | None:
    """Return any other hand of the set, to be the second one in a share of the pictures."""
    rng = rng_of(seed, "second hand", index)
    return hand_of(int(rng.integers(num_poses))) if rng.random() < share else None
