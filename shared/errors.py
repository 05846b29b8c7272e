"""Errors whose message tells the user what to do; everything else is a bug and keeps its traceback.

A message reads ``<where>: expected <this>, found <that>.``, and a remedy is what to do about it, in a
sentence of its own. They are kept apart, so that whoever reports an error in another form need not take
texts apart.
"""

_LONGEST_LINE = 2000


class MeshcycleError(Exception):
    """Base of every error that the command line prints without a traceback.

    An error raised in a render worker is pickled on its way home: both texts travel as arguments.

    Attributes:
        message: Where, what was expected, and what was found.
        remedy: What to do; empty if the message says it all.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        message = "\n".join(map(_shortened, message.split("\n")))
        super().__init__(message, remedy)
        self.message, self.remedy = message, remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message


def _shortened(line: str) -> str:
    """Leave the middle out of what damaged files put into a message: 100 kilobytes at times."""
    half = _LONGEST_LINE // 2
    return line if len(line) <= _LONGEST_LINE else f"{line[:half]} … {line[-half:]}"


class ConfigError(MeshcycleError):
    """A configuration file or an option is not usable."""


class DatasetError(MeshcycleError):
    """A dataset folder is missing, incomplete or inconsistent."""


class HandModelError(MeshcycleError):
    """A file is not a hand model, or not one that may be read safely."""


class BackgroundError(MeshcycleError):
    """A photograph source or a background database cannot be used."""


class ShardError(MeshcycleError):
    """A prediction or synthetic shard cannot be read as what it claims to be."""


class CheckpointError(MeshcycleError):
    """A checkpoint is missing, damaged or belongs to another network."""


class RenderError(MeshcycleError):
    """Blender is missing, or finished without producing the requested picture."""


class DeviceError(MeshcycleError):
    """A device that was asked for does not exist on this machine."""


class ExportError(MeshcycleError):
    """An exported network does not compute what the trained one does."""


class TrainingError(MeshcycleError):
    """Training cannot go on, for example because the loss is not finite."""


class StorageError(MeshcycleError):
    """A URL cannot be read or written, or does not hold what it should."""
