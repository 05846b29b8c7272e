"""The report on a background database: did the filter do its work? A picture, and a page around it.

It shows the doubtful cases first: what was kept with the highest confidence of a person, and what was dropped
with the lowest.
"""

import base64
import html
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64, UInt8
from PIL import Image

from bg_filter.pictures import Picture
from bg_filter.report_pictures import COLUMNS, Sample, confidence_histogram, sheet
from bg_filter.selection import IN_WORDS, Outcome, SelectionRules, count, judge, summary
from bg_filter.sources import PhotoSource, open_sources
from shared.backgrounds.verdict_reader import VerdictReader
from shared.backgrounds.verdicts import CODECS, VerdictRows
from shared.errors import BackgroundError
from shared.storage.outputs import write_output

SAMPLE_SEED = 0
NAMED_CATEGORIES = 5  # in the picture; the page names all


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the report is.

    Attributes:
        html: The page; it needs no other file.
        png: The picture in it.
    """

    html: Path
    png: Path

    def to_text(self) -> str:
        """Return a line for each file."""
        return f"{self.html}\n{self.png}"

    def to_json(self) -> dict[str, str]:
        """Return the paths by kind of file."""
        return {"html": str(self.html), "png": str(self.png)}


def write_report(
    database: Path, out: Path | None = None, *, samples_per_strip: int = 2 * COLUMNS
) -> ReportFiles:
    """Write ``report.html`` and ``report.png``, also if the run is unfinished or nothing was kept.

    Args:
        database: Directory that ``filter-backgrounds`` wrote.
        out: Directory of the report; that of the database if left out.
        samples_per_strip: Pictures to show of each kind.

    Raises:
        BackgroundError: The database is missing or something else, or nothing was looked at yet.
    """
    reader = VerdictReader(database)
    rows = reader.rows()
    if len(rows) == 0:
        raise BackgroundError(
            f"{database}: expected pictures that were looked at, found none.",
            remedy="Repeat its `meshcycle filter-backgrounds` command.",
        )
    selection = reader.noted("selection") or {}
    rules = SelectionRules(**selection.get("rules", {}))
    outcomes = judge(rows, rules)
    strips = choose_samples(rows, outcomes, samples_per_strip)
    pictures = _pictures(reader, {int(row) for chosen in strips.values() for row in chosen})
    decodable = rows["codec"] != CODECS.index("bad")
    by_category = _count_by_category(reader, outcomes)
    headlines = [
        summary(count(outcomes)),
        _category_line(by_category),
        _throughput(reader.noted("runs") or ()),
    ]
    if not selection:
        headlines.append("The run is unfinished: this is what it has looked at so far, by the default rules.")
    page = sheet(
        headlines,
        [
            (title, [_sample(rows[row], pictures[int(row)], outcomes[row]) for row in chosen])
            for title, chosen in strips.items()
        ],
        confidence_histogram(rows["confidence"][decodable], threshold=rules.threshold),
    )
    files = ReportFiles(html=(out or database) / "report.html", png=(out or database) / "report.png")
    try:
        picture = io.BytesIO()
        page.save(picture, "PNG")
        write_output(files.png, [picture.getvalue()])
        html = _html(reader, rules, by_category, page)
        write_output(files.html, [html.encode(errors="replace")])
    except OSError as error:
        raise BackgroundError(
            f"{files.png.parent}: expected a folder to write the report to, found a problem: {error}.",
            remedy="Give another --out.",
        ) from error
    return files


def choose_samples(
    rows: VerdictRows, outcomes: UInt8[np.ndarray, " verdicts"], count: int
) -> Mapping[str, Int64[np.ndarray, " chosen"]]:
    """Choose what to show: the doubtful cases, and a random sample of either kind."""
    kept, dropped = np.flatnonzero(outcomes == Outcome.KEPT), np.flatnonzero(outcomes == Outcome.PERSON)
    by_confidence = rows["confidence"]
    rng = np.random.default_rng(SAMPLE_SEED)
    return {
        "Kept, closest to the threshold: is there a person who was missed?": _least(
            -by_confidence, kept, count
        ),
        "Dropped, closest to the threshold: photographs lost?": _least(by_confidence, dropped, count),
        "Dropped with the highest confidence: these should be people": _least(-by_confidence, dropped, count),
        "Kept: a random sample": rng.permutation(kept)[:count],
        "Dropped for a person: a random sample": rng.permutation(dropped)[:count],
    }


def _least(
    values: Float32[np.ndarray, " verdicts"], among: Int64[np.ndarray, " some"], count: int
) -> Int64[np.ndarray, " chosen"]:
    chosen: Int64[np.ndarray, " chosen"] = among[np.argsort(values[among], kind="stable")[:count]]
    return chosen


def _pictures(reader: VerdictReader, wanted: set[int]) -> Mapping[int, Image.Image | None]:
    """Fetch pictures by row: stored ones from the database, the others from their sources."""
    sources: dict[str, PhotoSource | None] = {}
    pictures: dict[int, Image.Image | None] = {}
    for row, key in enumerate(reader.seen_keys()):
        if row in wanted:
            encoded = reader.stored_photo(key) or _from_source(reader, key, sources)
            picture = Picture.decode(encoded)
            pictures[row] = None if picture is None else picture.image
    return pictures


def _from_source(reader: VerdictReader, key: str, opened: dict[str, PhotoSource | None]) -> bytes:
    source_name, name = key.split("/", 1)
    if source_name not in opened:
        try:
            (opened[source_name],) = open_sources([Path(reader.noted("sources")[source_name])])
        except BackgroundError:  # the report says "source is gone" instead
            opened[source_name] = None
    source = opened[source_name]
    return b"" if source is None else source.read(name)


def _sample(row: np.void, image: Image.Image | None, outcome: int) -> Sample:
    left, top, right, bottom = (float(edge) for edge in row["box"])
    return Sample(
        image=image,
        confidence=float(row["confidence"]),
        box=(left, top, right, bottom),
        is_kept=outcome == Outcome.KEPT,
    )


def _html(
    reader: VerdictReader,
    rules: SelectionRules,
    by_category: Mapping[str, list[int]],
    page: Image.Image,
) -> str:
    file = io.BytesIO()
    page.save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    facts = {
        "Rules": ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in asdict(rules).items()),
        "Detector": "; ".join(reader.noted("detectors") or ()),
        "Fingerprint": str(
            (reader.noted("selection") or {}).get("fingerprint", "none, the run is unfinished")
        ),
    }
    return _PAGE.format(
        database=html.escape(str(reader.path)),
        facts=_table(facts.items()),
        categories=_category_table(by_category),
        picture=picture,
        width_px=page.width,
    )


def _throughput(runs: Iterable[Mapping[str, float]]) -> str:
    looked_at = sum(run["looked_at"] for run in runs)
    wall_s = sum(run["wall_s"] for run in runs)
    return f"{looked_at:,.0f} pictures in {wall_s:,.0f} s, {looked_at / max(wall_s, 1e-9):,.1f} per second."


def _count_by_category(
    reader: VerdictReader, outcomes: UInt8[np.ndarray, " verdicts"]
) -> dict[str, list[int]]:
    """Return the number of pictures of each outcome, by source."""
    counts: Counter[tuple[str, int]] = Counter(
        zip((key.split("/", 1)[0] for key in reader.seen_keys()), outcomes.tolist(), strict=True)
    )
    categories = sorted({category for category, _ in counts})
    return {category: [counts[category, outcome] for outcome in Outcome] for category in categories}


def _category_line(by_category: Mapping[str, list[int]]) -> str:
    shown = list(by_category.items())[:NAMED_CATEGORIES]
    kept = [f"{category} {numbers[Outcome.KEPT]:,} of {sum(numbers):,}" for category, numbers in shown]
    rest = len(by_category) - len(shown)
    return "Kept of " + ", ".join(kept) + (f", and {rest} more sources." if rest else ".")


def _category_table(by_category: Mapping[str, list[int]]) -> str:
    lines = [("Category", "pictures", "share kept", *IN_WORDS.values())]
    for category, numbers in by_category.items():
        share = f"{numbers[Outcome.KEPT] / sum(numbers):.0%}"
        lines.append((category, f"{sum(numbers):,}", share, *(f"{number:,}" for number in numbers)))
    return _table(lines)


def _table(lines: Iterable[Iterable[str]]) -> str:
    cells = ("".join(f"<td>{html.escape(cell)}</td>" for cell in line) for line in lines)
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in cells) + "</table>"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Backgrounds</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: {width_px}px; color: #222; }}
table {{ border-collapse: collapse; margin: 1em 0; }}
td {{ padding: 0.2em 1em 0.2em 0; border-bottom: 1px solid #ddd; vertical-align: top; }}
tr td:first-child {{ font-weight: bold; }}
</style>
<h1>Backgrounds in {database}</h1>
<p>Green was kept, red was dropped. The number is the confidence of a person, the frame is where. The filter
has done its work if no green picture shows a person and few red ones show none.</p>
<img alt="Counts, histogram and samples" src="data:image/png;base64,{picture}">
<h2>By category</h2>
{categories}
<h2>How</h2>
{facts}
</html>
"""
