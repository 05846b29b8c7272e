"""Makes a labelled dataset in FreiHAND's layout, with the pool that also renders twins."""

import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from render_worker.portrait import PortraitRequest
from render_worker.twin_round import RECIPE, Drawer
from render_worker.worker import Refusal
from shared.errors import RenderError
from shared.freihand import LabelledHand, SplitName
from shared.freihand_writer import FreiHandWriter


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What became of a split.

    Attributes:
        root: Folder of the dataset.
        split: Which split.
        rendered: Images drawn now.
        reused: Images found from an earlier, interrupted attempt.
        wall_s: Duration of the call.
    """

    root: Path
    split: SplitName
    rendered: int
    reused: int
    wall_s: float

    def __str__(self) -> str:
        reused = f", {self.reused} were there" if self.reused else ""
        speed = f" ({self.rendered / self.wall_s:.1f} a second)" if self.rendered else ""
        return f"{self.root} ({self.split}): {self.rendered} images rendered{speed}{reused}"


def render_dataset(
    drawer: Drawer,
    root: Path,
    split: SplitName,
    hand_at: Callable[[int], LabelledHand],
    *,
    num_images: int,
    seed: int,
) -> DatasetReport:
    """Render one split of a dataset; a repeated call goes on where an earlier one stopped.

    Args:
        drawer: A render pool.
        root: Folder of the dataset.
        split: Which split to write.
        hand_at: Returns the hand of an image; has to return the same one each time.
        num_images: Number of images, each of its own pose.
        seed: Decides backgrounds, light and skin, together with the number of an image.

    Raises:
        DatasetError: The folder holds another dataset.
        RenderError: A hand cannot be drawn.
    """
    start_s = time.monotonic()
    writer = FreiHandWriter(root, split, num_images=num_images, identity=_identity(drawer, seed))
    missing = writer.missing()
    waiting: dict[str, LabelledHand] = {}

    def requests() -> Iterator[PortraitRequest]:
        for index in missing:
            request = PortraitRequest(hand_at(index), seed)
            waiting[request.sample_id] = request.hand
            yield request

    with tqdm(total=num_images, initial=num_images - len(missing), unit="image", desc=f"{split} set") as bar:
        for request, answer in drawer.draw(requests()) if missing else ():
            if isinstance(answer, Refusal):
                raise RenderError(
                    f"{root}, image {answer.sample_id}: expected a picture, {answer.reason}. "
                    "Give another --seed."
                )
            writer.add(waiting.pop(request.sample_id), answer.jpeg, mask_jpeg=answer.mask_jpeg)
            bar.update()
    writer.finish()
    return DatasetReport(root, split, len(missing), num_images - len(missing), time.monotonic() - start_s)


def _identity(drawer: Drawer, seed: int) -> str:
    """Return a hash of all that decides the content, the number of images apart."""
    look = drawer.settings.model_dump_json(exclude={"workers", "shard_size", "device"})
    parts = (RECIPE, seed, look, drawer.hand_model.sha256, drawer.photographs.fingerprint)
    return hashlib.sha256(repr(parts).encode()).hexdigest()
