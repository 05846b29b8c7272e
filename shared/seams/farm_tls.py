"""What commands and the render farm agree on about TLS: a machine's folder of files, and Ray's variables."""

import os
from pathlib import Path
from typing import Final

AUTHORITY: Final = "ca.crt"
MACHINE: Final = "machine.crt"
MACHINE_KEY: Final = "machine.key"

TLS_FOLDER: Final = "MESHCYCLE_TLS"
"""Variable of the environment with the folder, for commands that are given none."""
SWITCH: Final = "RAY_USE_TLS"
FILES: Final = {
    "RAY_TLS_SERVER_CERT": MACHINE,
    "RAY_TLS_SERVER_KEY": MACHINE_KEY,
    "RAY_TLS_CA_CERT": AUTHORITY,
}
"""Names of files by the variable of the environment that tells Ray where they are."""


def switch_tls_on(folder: Path) -> None:
    """Have Ray use TLS in this process and in all that it starts, with the files in a folder.

    This is for before Ray is loaded, which reads the environment then. The files are looked at when Ray is
    started or joined.
    """
    os.environ |= {SWITCH: "1"} | {
        variable: str(folder.absolute() / name) for variable, name in FILES.items()
    }
