"""The histogram of a report without labels, written as SVG by hand.

It is the only chart of most runs, and matplotlib takes longer to load than a worker takes for thirty films.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_GAP = 0.05
"""Share of a bar's room that is left free on either side."""


@dataclass(frozen=True, slots=True)
class Plot:
    """Where the axes lie in the SVG's units; they begin at 0."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    x_max: float
    y_max: float

    @property
    def unit(self) -> tuple[float, float]:
        """Length of one data unit to the right, and of one upwards."""
        return (self.right - self.left) / self.x_max, (self.bottom - self.top) / self.y_max

    def x(self, value: float) -> float:
        """Where a value lies from the left."""
        return round(self.left + value * self.unit[0], 3)

    def y(self, value: float) -> float:
        """Where a value lies from above."""
        return round(self.bottom - value * self.unit[1], 3)


def histogram_svg(counts: Sequence[int], ticks: Sequence[int], threshold: float, x_label: str, plot: Plot) -> str:
    """Write a histogram over [0, 1]; the page names the colours.

    Parameters
    ----------
    counts
        Films in each of the bins, which are equally wide.
    ticks
        Counts that are marked at the side.
    threshold
        Marked by a dashed line.
    plot
        Its ``y_max`` counts in shares of the highest bar.
    """
    parts = (
        f'<svg viewBox="0 0 {plot.width} {plot.height}" aria-hidden="true">',
        f'<defs><clipPath id="histogram-plot"><rect x="{plot.left}" y="{plot.top}" width="{plot.right - plot.left}"'
        f' height="{plot.bottom - plot.top}"/></clipPath></defs>',
        '<g fill="none" stroke="var(--line)">',
        *_grid(ticks, max(1, *counts), plot),
        "</g>",
        '<g font-size="10px" fill="var(--muted)">',
        *_labels(ticks, max(1, *counts), x_label, plot),
        "</g>",
        '<g fill="var(--accent)">',
        *_bars(counts, plot),
        "</g>",
        f'<path d="M{plot.x(threshold)} {plot.bottom}V{plot.top}" fill="none" stroke="currentColor"'
        ' stroke-dasharray="2,2"/>',
        f'<path d="M{plot.left} {plot.top}V{plot.bottom}H{plot.right}" fill="none" stroke="var(--line)"'
        ' stroke-width="0.8"/>',
        "</svg>",
    )
    return "\n".join(parts)


_X_TICKS = (0, 0.25, 0.5, 0.75, 1)


def _grid(ticks: Sequence[int], top: int, plot: Plot) -> Iterator[str]:
    for value in _X_TICKS:
        yield f'<path d="M{plot.x(value)} {plot.bottom + 3}V{plot.top}" stroke-width="0.5"/>'
    for n in ticks:
        yield f'<path d="M{plot.left - 3} {plot.y(n / top)}H{plot.right}" stroke-width="0.5"/>'


def _labels(ticks: Sequence[int], top: int, x_label: str, plot: Plot) -> Iterator[str]:
    for value in _X_TICKS:
        yield f'<text text-anchor="middle" x="{plot.x(value)}" y="{plot.bottom + 14}">{value:g}</text>'
    for n in ticks:
        yield f'<text text-anchor="end" x="{plot.left - 6.5}" y="{plot.y(n / top)}" dy="3.8">{n:,}</text>'
    yield f'<text text-anchor="middle" x="{(plot.left + plot.right) / 2:g}" y="{plot.bottom + 29}">{x_label}</text>'


def _bars(counts: Sequence[int], plot: Plot) -> Iterator[str]:
    top, room = max(1, *counts), 1 / len(counts)
    for i, n in enumerate(counts):
        if n:
            left, right, upper = plot.x((i + _GAP) * room), plot.x((i + 1 - _GAP) * room), plot.y(n / top)
            yield f'<path d="M{left} {plot.bottom}V{upper}H{right}V{plot.bottom}z"/>'
