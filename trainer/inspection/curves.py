"""Learning curves of one or several runs as a picture: held-out error, losses, and where the time went."""

import io
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from shared.errors import ConfigError
from shared.storage.outputs import write_output
from trainer.drawing.figure_page import literal
from trainer.run.folder import RunFolder
from trainer.run.records import RoundRecord, read_records
from trainer.run.source_scores import scores_by_source

type Runs = Mapping[str, Sequence[RoundRecord]]

COLOURS = ("#2f6fde", "#e4572e", "#17a673", "#9b5de5", "#f2a900", "#5c677d")
ERRORS = {"PA-MPJPE": ("pa_mpjpe_mm", "-"), "PA-MPVPE": ("pa_mpvpe_mm", "--")}
PASSES = {"original": "-", "recycled": "--", "correlation": ":"}
_TICKS = 12
WIDTH_IN, HEIGHT_IN, DPI = 13.5, 4.0, 130
_MOST_LABELS_INSIDE = 6
"""More of them would hide the curves, and stand below."""
_LABEL_IN = 0.17


def draw_curves(runs: Sequence[Path], out: Path) -> None:
    """Draw the metrics of runs over each other; the suffix of ``out`` decides the format (png, pdf, svg).

    Raises:
        ConfigError: A run has not finished a round, or the format is unknown.
    """
    figure = Figure(figsize=(WIDTH_IN, HEIGHT_IN), dpi=DPI, layout="constrained")
    if out.suffix.lstrip(".") not in figure.canvas.get_supported_filetypes():
        raise ConfigError(
            f"{out}: expected a picture, found the suffix '{out.suffix}'.",
            remedy="Give .png or .pdf.",
        )
    is_named_alike = len({path.name for path in runs}) < len(runs)
    records = {
        literal(str(path) if is_named_alike else path.absolute().name): _records_of(path) for path in runs
    }
    errors, losses, times = figure.subplots(1, 3)
    _draw_errors(errors, records)
    _draw_losses(losses, records)
    _draw_times(times, records)
    most_below = max(_labels_below(axes) for axes in (errors, losses, times))
    figure.set_figheight(HEIGHT_IN + most_below * _LABEL_IN)
    file = io.BytesIO()
    figure.savefig(file, format=out.suffix.lstrip("."))
    write_output(out, [file.getvalue()])


def _records_of(run: Path) -> list[RoundRecord]:
    records = read_records(RunFolder(run))
    if not records:
        raise ConfigError(
            f"{run}: expected a run that has finished a round, found no metrics.",
            remedy="Train first.",
        )
    return records


def _draw_errors(axes: Axes, runs: Runs) -> None:
    for (name, records), colour in zip(runs.items(), _colours(runs), strict=True):
        rounds = [record.round + 1 for record in records]
        for label, (key, style) in ERRORS.items():
            values = [record.scores[key] for record in records]
            best = min(values)
            text = f"{name}: {label}, best {best:.2f}"
            axes.plot(rounds, values, style, color=colour, marker="o", ms=3, label=text)
            axes.plot(rounds[values.index(best)], best, "o", color=colour, ms=8, mfc="none")
        for source, marker in zip(scores_by_source(records[0].scores, "pa_mpjpe_mm"), _marks(), strict=False):
            values = [scores_by_source(record.scores, "pa_mpjpe_mm")[source] for record in records]
            label = literal(f"{name}: PA-MPJPE of {source}, last {values[-1]:.2f}")
            axes.plot(rounds, values, ":", color=colour, marker=marker, ms=4, label=label)
    _finish(axes, title="held-out error, aligned", unit="mm")


def _draw_losses(axes: Axes, runs: Runs) -> None:
    for (run, records), colour in zip(runs.items(), _colours(runs), strict=True):
        for name, style in PASSES.items():
            points = [(record.round + 1, record.losses[name]) for record in records if name in record.losses]
            if points:
                rounds, values = zip(*points, strict=True)
                axes.plot(rounds, values, style, color=colour, marker="o", ms=3, label=f"{run}: {name}")
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=_TICKS))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    _finish(axes, title="weighted loss of each pass", unit="")


def _draw_times(axes: Axes, runs: Runs) -> None:
    """Draw a bar per round and run, cut into its stages."""
    everything = [record for records in runs.values() for record in records]
    stages = list(dict.fromkeys(stage for record in everything for stage in record.wall_s))
    width = 0.8 / len(runs)
    for number, records in enumerate(runs.values()):
        centres = [record.round + 1 + (number - (len(runs) - 1) / 2) * width for record in records]
        floor = [0.0] * len(records)
        for stage, colour in zip(stages, COLOURS, strict=False):
            seconds = [record.wall_s.get(stage, 0.0) for record in records]
            label = stage if number == 0 else None
            axes.bar(centres, seconds, 0.9 * width, bottom=floor, color=colour, label=label, zorder=2)
            floor = [below + height for below, height in zip(floor, seconds, strict=True)]
    # Not by a margin: a stage that took no time, on top of the longest round, would take the margin away.
    axes.set_ylim(0, 1.3 * max(sum(record.wall_s.values()) for record in everything) or 1)
    _finish(axes, title="time per round" + (", runs side by side" if len(runs) > 1 else ""), unit="s")


def _marks() -> Iterator[str]:
    return itertools.cycle("sd^vx+")


def _colours(runs: Runs) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(runs))]


def _finish(axes: Axes, *, title: str, unit: str) -> None:
    axes.set_title(title, fontsize=11)
    axes.set_xlabel("round")
    axes.set_ylabel(unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # also for one round
    axes.grid(visible=True, alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    is_below = _labels_below(axes) > 0
    axes.legend(
        fontsize=8,
        edgecolor="none",
        loc="upper center" if is_below else "best",
        bbox_to_anchor=(0.5, -0.15) if is_below else None,
    )


def _labels_below(axes: Axes) -> int:
    """Return how many labels stand below the curves: all of them, or none."""
    num_labels = len(axes.get_legend_handles_labels()[1])
    return num_labels if num_labels > _MOST_LABELS_INSIDE else 0
