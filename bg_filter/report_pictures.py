"""Draws the pictures of the report: strips of labelled samples, and the histogram of confidences."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32
from PIL import Image, ImageDraw, ImageFont

TILE_PX = 150
COLUMNS = 8
MARGIN_PX = 6
TITLE_PX = 34
LINE_PX = 27
HISTOGRAM_PX = 180
MIN_BOXED_CONFIDENCE = 0.02  # below that, the box means nothing
WIDTH_PX = COLUMNS * (TILE_PX + MARGIN_PX) + MARGIN_PX

PAPER, INK, PALE = (255, 255, 255), (30, 30, 30), (200, 205, 210)
KEPT_COLOUR, DROPPED_COLOUR = (40, 140, 70), (200, 50, 40)

type Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Sample:
    """A picture to show.

    Attributes:
        image: The picture; None if it cannot be had any more.
        confidence: Of the most confident person.
        box: Where that person is, as fractions of the picture.
        is_kept: What became of the picture.
    """

    image: Image.Image | None
    confidence: float
    box: Box
    is_kept: bool


def sheet(
    headlines: Sequence[str], strips: Sequence[tuple[str, Sequence[Sample]]], histogram: Image.Image
) -> Image.Image:
    """Return one picture: what is to be said, the histogram, and titled strips."""
    heights = [TITLE_PX + _rows(samples) * (TILE_PX + MARGIN_PX) for _, samples in strips]
    top_px = MARGIN_PX + len(headlines) * LINE_PX
    page = Image.new("RGB", (WIDTH_PX, top_px + histogram.height + sum(heights) + MARGIN_PX), PAPER)
    draw = ImageDraw.Draw(page)
    for number, headline in enumerate(headlines):
        corner = (MARGIN_PX, MARGIN_PX + number * LINE_PX)
        draw.text(corner, headline, fill=INK, font=_font(20 if number == 0 else 15))
    page.paste(histogram, (0, top_px))
    top_px += histogram.height
    for (title, samples), height in zip(strips, heights, strict=True):
        draw.text((MARGIN_PX, top_px + 8), title, fill=INK, font=_font(17))
        for index, sample in enumerate(samples):
            row, column = divmod(index, COLUMNS)
            left_px = MARGIN_PX + column * (TILE_PX + MARGIN_PX)
            page.paste(tile(sample), (left_px, top_px + TITLE_PX + row * (TILE_PX + MARGIN_PX)))
        top_px += height
    return page


def tile(sample: Sample) -> Image.Image:
    """Return a square thumbnail with its most confident person and what became of it."""
    canvas = Image.new("RGB", (TILE_PX, TILE_PX), PALE)
    draw = ImageDraw.Draw(canvas)
    colour = KEPT_COLOUR if sample.is_kept else DROPPED_COLOUR
    if sample.image is None:
        draw.text((12, TILE_PX // 2 - 8), "source is gone", fill=INK, font=_font(14))
    else:
        scale = TILE_PX / max(sample.image.size)
        width, height = (max(1, round(side * scale)) for side in sample.image.size)
        left, top = (TILE_PX - width) // 2, (TILE_PX - height) // 2
        canvas.paste(sample.image.resize((width, height)), (left, top))
        x_min, y_min, x_max, y_max = np.array(sample.box) * (width, height, width, height)
        if sample.confidence >= MIN_BOXED_CONFIDENCE and x_max > x_min and y_max > y_min:
            draw.rectangle((left + x_min, top + y_min, left + x_max, top + y_max), outline=colour, width=2)
    label = f"{sample.confidence:.{3 if sample.confidence < 0.1 else 2}f}"
    draw.rectangle((0, 0, 8 + draw.textlength(label, _font(14)), 19), fill=colour)
    draw.text((4, 1), label, fill=PAPER, font=_font(14))
    draw.rectangle((0, 0, TILE_PX - 1, TILE_PX - 1), outline=colour)
    return canvas


def confidence_histogram(confidences: Float32[np.ndarray, " pictures"], *, threshold: float) -> Image.Image:
    """Return the number of pictures over the confidence, on a logarithmic scale, split at the threshold."""
    page = Image.new("RGB", (WIDTH_PX, HISTOGRAM_PX), PAPER)
    draw = ImageDraw.Draw(page)
    draw.text(
        (MARGIN_PX, 8),
        "Number of pictures (logarithmic) over the confidence of a person",
        fill=INK,
        font=_font(17),
    )
    left, right, top, bottom = 20, WIDTH_PX - 20, 44, HISTOGRAM_PX - 26
    edges = np.linspace(0, 1, 101)
    counts, _ = np.histogram(np.clip(confidences, 0, 1), edges)
    heights = np.log1p(counts) / np.log1p(max(1, counts.max())) * (bottom - top)
    columns = left + edges * (right - left)
    for middle, start, stop, height in zip(
        (edges[1:] + edges[:-1]) / 2, columns[:-1], columns[1:], heights, strict=True
    ):
        if height > 0:
            colour = KEPT_COLOUR if middle < threshold else DROPPED_COLOUR
            draw.rectangle((start, bottom - height, stop - 1, bottom), fill=colour)
    draw.line((left, bottom, right, bottom), fill=INK)
    for value in (0, 0.25, 0.5, 0.75, 1):
        x = left + value * (right - left)
        draw.text((x, bottom + 4), f"{value:g}", fill=INK, font=_font(13), anchor="ma")
    cut = left + threshold * (right - left)
    draw.line((cut, top - 4, cut, bottom), fill=INK, width=2)
    label = f"threshold {threshold:g}: {int((confidences < threshold).sum())} below, "
    label += f"{int((confidences >= threshold).sum())} above"
    draw.text((cut + 6, top - 8), label, fill=INK, font=_font(14))
    return page


def _rows(samples: Sequence[Sample]) -> int:
    return -(-len(samples) // COLUMNS)


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size_px)
