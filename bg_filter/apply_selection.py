"""Publishing a selection: after a run, or again with other rules and without looking at any picture again."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import batched
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from bg_filter.pictures import Picture
from bg_filter.selection import Outcome, SelectionRules, count, judge, summary
from bg_filter.sources import PhotoSource, open_sources
from shared.backgrounds import BackgroundWriter
from shared.errors import BackgroundError
from shared.lmdb.keys import list_keys

PHOTOS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class PublishedSelection:
    """A published selection.

    Attributes:
        outcomes: Number of pictures in the database by outcome.
        restored: Photographs that were fetched from their sources, because earlier rules had dropped them.
        fingerprint: Identifies the selection.
    """

    outcomes: dict[Outcome, int]
    restored: int
    fingerprint: str

    def to_json(self) -> dict[str, Any]:
        """Return the selection for programs."""
        return {
            **{outcome.name.lower(): number for outcome, number in self.outcomes.items()},
            "restored": self.restored,
            "fingerprint": self.fingerprint,
        }

    def to_text(self) -> str:
        """Return the selection for people, in a line."""
        return summary(self.outcomes)


def reselect(database: Path, rules: SelectionRules, *, sources: Sequence[Path] = ()) -> PublishedSelection:
    """Select again by the stored verdicts; equal to a fresh run with these rules.

    Not while another process reads the database: readers take no locks.

    Args:
        database: Directory that ``filter-backgrounds`` wrote, finished or not.
        rules: What a background must fulfil.
        sources: Where the sources are now, should they have moved. Needed for looser rules only.

    Raises:
        BackgroundError: There is no such database, or a photograph is needed and its source has gone.
    """
    if not (database / "data.mdb").is_file():
        raise BackgroundError(
            f"{database}: expected a background database, found none.",
            remedy=f"Make one: `meshcycle filter-backgrounds SOURCE --out {database}`.",
        )
    with BackgroundWriter(database) as writer:
        return publish(writer, rules, sources={source.name: source for source in open_sources(sources)})


def publish(
    writer: BackgroundWriter, rules: SelectionRules, *, sources: Mapping[str, PhotoSource]
) -> PublishedSelection:
    """Judge all verdicts, fetch what is missing, and publish the selection.

    Args:
        writer: The database.
        rules: What a background must fulfil.
        sources: Sources by name; those that are missing are opened where they were when they were filtered.
    """
    outcomes = judge(writer.rows(), rules)
    missing = _without_photo(writer, outcomes == Outcome.KEPT)
    available = dict(sources)
    short_side_px = (writer.noted("made_by") or {}).get("short_side_px")
    for keys in batched(missing, PHOTOS_AT_ONCE, strict=False):
        photos = {key: _fetch(key, writer, available, short_side_px=short_side_px) for key in keys}
        writer.add([], photos)
    fingerprint = writer.publish(outcomes == Outcome.KEPT, rules=asdict(rules))
    return PublishedSelection(outcomes=count(outcomes), restored=len(missing), fingerprint=fingerprint)


def _without_photo(writer: BackgroundWriter, keep: Bool[np.ndarray, " verdicts"]) -> list[str]:
    """Return the keys to keep whose photographs earlier rules had dropped, without reading all the others."""
    data_file = writer.path / "data.mdb"
    seen, stored = (list_keys(data_file, database=name) for name in (b"verdicts", b"photos"))
    if seen is None or stored is None:
        return writer.without_photo(keep)
    wanted = seen[keep]
    places = np.searchsorted(stored, wanted).clip(max=len(stored) - 1)
    return [os.fsdecode(key) for key in wanted[stored[places] != wanted]]


def _fetch(
    key: str, writer: BackgroundWriter, available: dict[str, PhotoSource], *, short_side_px: int | None
) -> bytes:
    source_name, name = key.split("/", 1)
    if source_name not in available:
        was_at = Path(writer.noted("sources")[source_name])
        if not was_at.exists():
            raise BackgroundError(
                f"{writer.path}: expected the photographs of {source_name} in {was_at}, found nothing.",
                remedy=(
                    "Say where they are now with --source, or give a threshold that is not "
                    "higher than before."
                ),
            )
        available |= {source.name: source for source in open_sources([was_at])}
    picture = Picture.decode(available[source_name].read(name))
    if picture is None:
        raise BackgroundError(
            f"{writer.path}: expected the picture {key} in {available[source_name].path}, found none.",
            remedy="Give the source that was filtered (--source, if it has moved), or stricter rules.",
        )
    return picture.stored(short_side_px=short_side_px)
