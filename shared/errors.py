"""Errors whose message tells the user what to do; everything else is a bug and keeps its traceback.

The form of a message is ``<where>: <what was expected>, <what was found>. <what to do>``. Every class takes
that one string, because an error raised in a render worker is pickled on its way home.
"""


class MeshcycleError(Exception):
    """Base of every error that the command line prints without a traceback."""


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
