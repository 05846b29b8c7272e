"""Getting weights through ultralytics, and keeping ultralytics to itself.

On import it writes a settings file into the home folder, probes the network, turns usage statistics on and
replaces a function of Pillow; on demand it installs packages. None of that is wanted here, and the user's own
settings of ultralytics stay untouched.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from shared.errors import BackgroundError
from shared.storage.cache import cache_root

_QUIET = {"YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false", "YOLO_OFFLINE": "true"}
_UNLESS_SET = {"ULTRALYTICS_SAFE_LOAD": "true"}


class WeightsUnavailableError(BackgroundError):
    """Published weights are not on this machine and cannot be downloaded."""


@contextmanager
def quiet_ultralytics() -> Iterator[None]:
    """Load weights without settings files, statistics, installations or messages.

    Checkpoints are read with ultralytics' list of allowed classes, so that a file cannot run code. Set
    ``ULTRALYTICS_SAFE_LOAD=false`` to load an unusual checkpoint that you trust.

    Where ultralytics predicts by itself, it takes a core from the whole process, for good. The process gets
    it back at the end: sums of a network that trains later depend on the number of threads.
    """
    import torch  # as ultralytics does: seconds, which only those who use it should wait

    num_threads = torch.get_num_threads()
    with (
        tempfile.TemporaryDirectory(prefix="meshcycle-yolo-") as folder,
        _environment(_UNLESS_SET | os.environ | _QUIET | {"YOLO_CONFIG_DIR": folder}),
    ):
        open_image = Image.open
        import ultralytics.utils  # noqa: F401  (it reads the environment once, on import)

        Image.open = open_image  # undoes its own, which installs a package when a picture cannot be opened
        try:
            yield
        finally:
            torch.set_num_threads(num_threads)


def weights_file(name: str, *, option: str = "--weights") -> Path:
    """Return the file of a network; a bare name that ultralytics publishes is downloaded to the user's cache.

    Args:
        name: Path of a file, or a published name.
        option: Where the name comes from, for errors.

    Raises:
        WeightsUnavailableError: The name is a published one, and the download failed.
        BackgroundError: There is no such file.
    """
    from ultralytics.utils.downloads import GITHUB_ASSETS_NAMES, attempt_download_asset

    if Path(name).exists():
        return Path(name)
    if name not in GITHUB_ASSETS_NAMES:
        raise BackgroundError(
            f"{name}: expected a file with detector weights, found nothing.",
            remedy=f"Check {option}; a name that can be downloaded is, for example, yolov8n.pt.",
        )
    cached = cache_root() / name
    if not cached.exists():
        try:
            with _environment(os.environ | {"YOLO_OFFLINE": "false"}):
                attempt_download_asset(cached)
        except (OSError, MemoryError) as error:  # requests' errors are OSErrors; MemoryError is a full disk
            raise WeightsUnavailableError(
                f"{name}: expected to download these detector weights, found no way to: "
                f"{str(error).removeprefix('❌').strip()} Give a file with {option}."
            ) from error
    return cached


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
