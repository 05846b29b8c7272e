"""Hatch runs this when it builds a wheel: which commit and which lock it was made from goes into it."""

import hashlib
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuiltFrom(BuildHookInterface):
    """Adds trainer/run/built_from.json, which trainer/run/provenance.py reads."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file beside the build, and name it; a checkout that is installed asks git itself."""
        if version == "editable":
            return
        root = Path(self.root)
        found = {"commit": os.environ.get("MESHCYCLE_COMMIT") or _commit(root)}
        lock = root / "requirements.lock"
        if lock.exists():
            found["lock_sha256"] = hashlib.sha256(lock.read_bytes()).hexdigest()
        path = Path(tempfile.mkdtemp()) / "built_from.json"
        path.write_text(json.dumps({name: value for name, value in found.items() if value}))
        build_data["force_include"][str(path)] = "trainer/run/built_from.json"


def _commit(root: Path) -> str | None:
    """Return the commit of a checkout, with a mark if files differ from it; None without git."""
    if not (root / ".git").exists():
        return None
    try:
        asked = ("git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
        done = subprocess.run(asked, cwd=root, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.strip() or None
