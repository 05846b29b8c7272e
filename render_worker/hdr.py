"""The panoramas that Blender's wheel brings along, and a reader for them.

They are Greg Zaal's, from Poly Haven, CC0. They are read with the OpenImageIO inside the wheel: no Blender starts.
"""

import importlib.util
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
from jaxtyping import Float32

from shared.errors import RenderError
