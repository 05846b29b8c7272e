"""Write the embedded hand model: ``python -m tools.open_hand --out shared/hand_model/open_hand.npz``."""

import argparse
from pathlib import Path

import numpy as np

from shared.hand_model.loading import EMBEDDED_MODEL, load_hand_model
from tools.open_hand.build import build_fields

parser = argparse.ArgumentParser(prog="python -m tools.open_hand", description=__doc__)
parser.add_argument("--out", type=Path, default=EMBEDDED_MODEL, help="File to write.")
out: Path = parser.parse_args().out
fields = build_fields()
np.savez_compressed(out, allow_pickle=False, **fields)
print(f"{out}: {out.stat().st_size / 1e3:.0f} kB, sha256 {load_hand_model(out).sha256}")
