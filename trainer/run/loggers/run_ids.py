"""What the servers of loggers call a run, kept in its folder, so that a resumed run goes on there too."""

import json

from shared.storage.files import write_durably
from trainer.run.folder import RunFolder


def read_id(run: RunFolder, logger: str) -> str | None:
    """Return the name of a run at a logger; None before it has one."""
    return _read(run).get(logger)


def write_id(run: RunFolder, logger: str, run_id: str) -> None:
    """Keep the name of a run at a logger."""
    write_durably(run.logger_ids, [json.dumps(_read(run) | {logger: run_id}, indent=1).encode()])


def _read(run: RunFolder) -> dict[str, str]:
    if not run.logger_ids.exists():
        return {}
    return {str(name): str(each) for name, each in json.loads(run.logger_ids.read_text("utf-8")).items()}
