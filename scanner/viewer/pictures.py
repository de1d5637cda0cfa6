"""Pixels of the viewer: a window into a film, its heat map laid over it, and the annotated picture to keep.

Pure functions; all pictures of one viewport have the same size.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cxrscan.reports.page.colour_scale import HALF, LINE, OPACITIES, STOPS, heat_levels
from cxrscan.scanner.preprocess import resize
from cxrscan.scanner.records import FloatImage, HeatMap, Region
from cxrscan.scanner.regions import smooth_weights
from cxrscan.scanner.system.plain_matplotlib import import_matplotlib

Uint8Image = npt.NDArray[np.uint8]

LONG_SIDE_PX = 900
"""Of the pictures on the page; a pane on a wide screen is about as large."""

OUTLINE_COLOUR = (95, 215, 255)
"""Red, green and blue of a region's outline, as in the report."""

_JPEG_QUALITY = 95

_INK, _FAINT, _PAPER = (238, 240, 243), (160, 168, 178), (12, 13, 15)
_MARGIN_PX = 24


@dataclass(frozen=True, slots=True)
class Viewport:
    """The part of a film that is shown."""

    zoom: float = 1.0
    """1 shows the whole film, 4 a quarter of its width and height."""
    x: float = 0.5
    """Centre from left to right, in [0, 1]; kept so that the film fills the view."""
    y: float = 0.5
    """Centre from top to bottom."""

    @property
    def columns(self) -> tuple[float, float]:
        """Left and right edge as shares of the film's width."""
        return self._span(self.x)

    @property
    def rows(self) -> tuple[float, float]:
        """Upper and lower edge as shares of the film's height."""
        return self._span(self.y)

    def _span(self, centre: float) -> tuple[float, float]:
        half = 0.5 / self.zoom
        kept = min(max(centre, half), 1.0 - half)
        return kept - half, kept + half


def render_film(
    pixels: FloatImage, view: Viewport, window: tuple[float, float] = (0.0, 1.0), long_side_px: int = LONG_SIDE_PX
) -> Uint8Image:
    """Cut a viewport out of a film and map its display values to grey.

    Parameters
    ----------
    pixels
        float32 array, shape (H, W), values in [0, 1].
    window
        Display values that become black and white.

    Returns
    -------
    uint8 array whose longer side is ``long_side_px``, in the film's proportions.
    """
    height, width = pixels.shape
    rows, columns = _cells(view.rows, height), _cells(view.columns, width)
    scale = long_side_px / max(height, width)
    shown = resize(pixels[rows, columns], max(1, round(width * scale)), max(1, round(height * scale)))
    black, white = window
    grey = (shown - black) / max(white - black, 1e-6)
    return np.asarray(np.rint(np.clip(grey, 0.0, 1.0) * 255.0), dtype=np.uint8)


def _cells(span: tuple[float, float], n: int) -> slice:
    first = min(int(span[0] * n), n - 1)
    return slice(first, max(first + 1, round(span[1] * n)))


def render_overlay(film: Uint8Image, heat_map: HeatMap, scale: float, view: Viewport, opacity: float) -> Uint8Image:
    """Lay a heat map over a rendered film, in the colours of the report.

    Parameters
    ----------
    film
        uint8 array, shape (H, W), as ``render_film`` made it of the same viewport.
    scale
        Value at the top of the colour scale, ``ModelSpec.heat_scale``.
    opacity
        In [0, 1]; what is faint on the scale is more transparent than that.

    Returns
    -------
    uint8 array, shape (H, W, 3), red, green and blue.
    """
    level = _smooth_levels(film, heat_map, scale, view)
    colours = _heat_colours()
    share = colours[:, 3:] * np.float32(opacity)
    blended = np.take(colours[:, :3] * share, level, axis=0)  # both products once a level, not once a pixel
    blended += film[..., np.newaxis] * np.take(1 - share, level, axis=0)
    return np.asarray(np.rint(blended), dtype=np.uint8)


def render_contour(film: Uint8Image, heat_map: HeatMap, scale: float, view: Viewport) -> Uint8Image:
    """Draw a line around what reaches half of the scale; parameters and result as ``render_overlay`` has them."""
    inside = (_smooth_levels(film, heat_map, scale, view) >= HALF).astype(np.uint8)
    line = inside.astype(bool) & ~cv2.erode(inside, np.ones((5, 5), np.uint8)).astype(bool)
    drawn = np.repeat(film[..., np.newaxis], 3, axis=2)
    drawn[line] = LINE
    return drawn


def draw_outlines(film: Uint8Image, regions: Sequence[Region], size_px: tuple[int, int], view: Viewport) -> Uint8Image:
    """Outline regions on a rendered film, with their numbers.

    Parameters
    ----------
    film
        uint8 array, shape (H, W) or (H, W, 3), as ``render_film`` made it of the same viewport.
    size_px
        Width and height of the film, whose pixels the regions are in.

    Returns
    -------
    uint8 array, shape (H, W, 3), red, green and blue.
    """
    drawn = np.repeat(film[..., np.newaxis], 3, axis=2) if film.ndim == 2 else film.copy()
    outlines = [_in_view(region, size_px, view, film.shape) for region in regions]
    for colour, width in (((0, 0, 0), 6), (OUTLINE_COLOUR, 3)):
        cv2.polylines(drawn, outlines, isClosed=True, color=colour, thickness=width, lineType=cv2.LINE_AA)
    for number, outline in enumerate(outlines, start=1):
        x, y = (int(place) for place in outline[outline[:, 1].argmin()])
        cv2.circle(drawn, (x, y), 18, OUTLINE_COLOUR, -1, cv2.LINE_AA)
        cv2.putText(drawn, str(number), (x - 8, y + 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (6, 34, 44), 2, cv2.LINE_AA)
    return drawn


def _in_view(region: Region, size_px: tuple[int, int], view: Viewport, shape: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Corners of a region in pixels of a picture of a viewport, shape (N, 2)."""
    spans = np.array([view.columns, view.rows])
    shares = (np.array(region.polygon_px) + 0.5) / size_px
    inside = (shares - spans[:, 0]) / (spans[:, 1] - spans[:, 0])
    return np.asarray(np.rint(inside * (shape[1], shape[0])), dtype=np.int32)


def _smooth_levels(film: Uint8Image, heat_map: HeatMap, scale: float, view: Viewport) -> Uint8Image:
    """Levels of a heat map for every pixel of a film as it is shown, 255 at the top of the scale."""
    height, width = film.shape
    levels = heat_levels(heat_map, scale).astype(np.float32)
    smooth = _weights(view.rows, height, heat_map.side) @ levels @ _weights(view.columns, width, heat_map.side).T
    return np.asarray(np.rint(np.clip(smooth, 0, 255)), dtype=np.uint8)


def _weights(span: tuple[float, float], n_px: int, n_cells: int) -> FloatImage:
    """Weight of every cell in every pixel of a part of the film's side, shape (n_px, n_cells)."""
    return smooth_weights(span[0] + (np.arange(n_px) + 0.5) / n_px * (span[1] - span[0]), n_cells)


@cache
def _heat_colours() -> FloatImage:
    """Red, green and blue in [0, 255] and opacity in [0, 1] of the 256 levels, shape (256, 4)."""
    levels = np.linspace(0.0, 1.0, 256)
    steps = np.linspace(0.0, 1.0, len(STOPS))
    channels = [np.interp(levels, steps, [stop[channel] for stop in STOPS]) for channel in range(3)]
    return np.stack([*channels, np.interp(levels, steps, OPACITIES)], axis=1).astype(np.float32)


def data_url(picture: Uint8Image) -> str:
    """Encode a picture, grey (H, W) or RGB (H, W, 3), so that it arrives with the page.

    Streamlit would serve bytes at an address of their own, and no longer once the reader has turned the page.
    """
    stored = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    data = cv2.imencode(".jpg", stored, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode('ascii')}"


def annotated_png(
    panes: Sequence[Uint8Image], heading: Sequence[str], footing: Sequence[str], scale: str, *, contour: bool = False
) -> bytes:
    """Return the picture of ``annotated_picture`` as a PNG file."""
    out = io.BytesIO()
    Image.fromarray(annotated_picture(panes, heading, footing, scale, contour=contour)).save(out, "PNG")
    return out.getvalue()


def annotated_picture(
    panes: Sequence[Uint8Image], heading: Sequence[str], footing: Sequence[str], scale: str, *, contour: bool = False
) -> Uint8Image:
    """Set pictures side by side on black, with what was found above and what the reader must know below.

    Parameters
    ----------
    panes
        The film, and the film with its heat map when it has one; all of one size.
    heading, footing
        Lines of text; the first of the heading is large.
    scale
        Words at the top of the colour scale, drawn under the last pane; empty for none.
    contour
        Whether the last pane has a line at half of that scale in place of its colours.

    Returns
    -------
    uint8 array, shape (H, W, 3), red, green and blue.
    """
    pane_height, pane_width = panes[0].shape[:2]
    width = max(len(panes) * pane_width + (len(panes) + 1) * _MARGIN_PX, 760)
    sizes = [30, *[19] * (len(heading) - 1)]
    top = _MARGIN_PX + sum(size + 12 for size in sizes) + 8
    bottom = 52 + 28 * len(footing)
    page = Image.new("RGB", (width, top + pane_height + bottom), _PAPER)
    draw = ImageDraw.Draw(page)
    y = _MARGIN_PX
    for line, size in zip(heading, sizes, strict=True):
        draw.text((_MARGIN_PX, y), _fitting(line, _font(size), width), font=_font(size), fill=_INK)
        y += size + 12
    for number, pane in enumerate(panes):
        page.paste(Image.fromarray(pane), (_MARGIN_PX + number * (pane_width + _MARGIN_PX), top))
    y = top + pane_height + 10
    if scale:
        place = (_MARGIN_PX + (len(panes) - 1) * (pane_width + _MARGIN_PX), y)
        if contour:
            draw.text(place, f"Grad-CAM, line at half of {scale}", font=_font(15), fill=LINE)
        else:
            _draw_legend(page, draw, place, scale)
    for number, line in enumerate(footing):
        place = (_MARGIN_PX, y + 34 + 28 * number)
        draw.text(place, _fitting(line, _font(17), width), font=_font(17), fill=_FAINT)
    return np.asarray(page)


def _draw_legend(page: Image.Image, draw: ImageDraw.ImageDraw, place: tuple[int, int], top: str) -> None:
    colours = _heat_colours()
    strip = np.rint(colours[:, :3] * colours[:, 3:]).astype(np.uint8)[np.newaxis]
    x, y = place
    page.paste(Image.fromarray(strip).resize((200, 12)), (x, y + 4))
    draw.text((x + 212, y), f"Grad-CAM, 0 to {top}", font=_font(15), fill=_FAINT)


def _fitting(line: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """Shorten a line that is wider than the page."""
    clean = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in line)
    if font.getlength(clean) <= width - 2 * _MARGIN_PX:
        return clean
    while clean and font.getlength(clean + "…") > width - 2 * _MARGIN_PX:
        clean = clean[:-1]
    return clean + "…"


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which Matplotlib brings along, so that names of all European scripts are readable."""
    return ImageFont.truetype(Path(import_matplotlib().get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)
