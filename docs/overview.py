"""Draws the picture of the README, ``docs/overview.svg``: a folder of films becomes a report."""

from __future__ import annotations

import math
from pathlib import Path

FILMS = (("0.97", "PNEUMONIA", (0.36, 0.62)), ("0.04", "NORMAL", None), ("0.71", "PNEUMONIA", (0.66, 0.58)))
"""Probability, call and hottest place, in parts of the film, of each row."""
_ORANGE, _BLUE, _GREY = "#b0410e", "#0b5cad", "#5b6470"


def film(x: float, y: float, side: float, hot: tuple[float, float] | None = None) -> str:
    """A chest film as a drawing: two lungs, ribs and a heart, and a warm place where there is one."""

    def at(u: float, v: float) -> str:
        return f"{x + u * side:.1f} {y + v * side:.1f}"

    ribs = "".join(
        f'<path d="M{at(0.5, v)} Q{at(0.5 + sign * 0.3, v - 0.1)} {at(0.5 + sign * 0.4, v + 0.12)}"/>'
        for sign in (-1, 1)
        for v in (0.28, 0.38, 0.48, 0.58, 0.68)
    )

    def ellipse(u: float, v: float, rx: float, ry: float) -> str:
        return f'<ellipse cx="{x + u * side:.1f}" cy="{y + v * side:.1f}" rx="{rx * side:.1f}" ry="{ry * side:.1f}"/>'

    lungs = ellipse(0.31, 0.5, 0.16, 0.3) + ellipse(0.69, 0.5, 0.16, 0.3)
    heart = ellipse(0.55, 0.66, 0.15, 0.14)
    warm = "" if hot is None else f'<g fill="url(#warm)">{ellipse(*hot, 0.2, 0.2)}</g>'
    return (
        f'<rect x="{x}" y="{y}" width="{side}" height="{side}" rx="3" fill="#14181c"/>'
        f'<g fill="#8a9299" opacity=".8"><rect x="{x + 0.12 * side:.1f}" y="{y + 0.12 * side:.1f}" '
        f'width="{0.76 * side:.1f}" height="{0.82 * side:.1f}" rx="{0.2 * side:.1f}"/></g>'
        f'<g fill="#2b3238">{lungs}</g><g fill="#a9b0b6">{heart}</g>'
        f'<g fill="none" stroke="#c4cace" stroke-width="{0.02 * side:.1f}" opacity=".7">{ribs}</g>{warm}'
    )


def row(y: float, probability: str, call: str, hot: tuple[float, float] | None) -> str:
    """A film of the report: the film, the same with its heat map, call and probability."""
    colour = _ORANGE if call == "PNEUMONIA" else _BLUE
    return (
        film(392, y, 62)
        + film(460, y, 62, hot)
        + f'<text x="540" y="{y + 26}" font-weight="bold" fill="{colour}">{call}</text>'
        + f'<text x="540" y="{y + 46}" fill="{_GREY}" font-size="13">probability {probability}</text>'
        + f'<rect x="640" y="{y + 36}" width="100" height="7" rx="3" fill="#dfe3e7"/>'
        + f'<rect x="640" y="{y + 36}" width="{100 * float(probability):.0f}" height="7" rx="3" fill="{colour}"/>'
    )


def drawing() -> str:
    """The picture as SVG."""
    pile = "".join(film(40 + 26 * i, 62 + 16 * math.sin(i), 92) for i in range(5))
    rows = "".join(row(48 + 72 * i, *each) for i, each in enumerate(FILMS))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 290" font-family="sans-serif" font-size="15">'
        '<defs><radialGradient id="warm"><stop offset="0" stop-color="#ffd54a" stop-opacity=".95"/>'
        '<stop offset=".5" stop-color="#e2662d" stop-opacity=".6"/>'
        '<stop offset="1" stop-color="#b0410e" stop-opacity="0"/></radialGradient></defs>'
        '<rect width="780" height="290" rx="8" fill="#f6f7f2"/>'
        f'{pile}<text x="40" y="205" fill="{_GREY}">films/</text>'
        f'<text x="40" y="232" font-family="monospace" font-size="14" fill="#14181c">$ cxrscan run films/</text>'
        f'<path d="M282 118 H338 m-12 -8 l12 8 l-12 8" fill="none" stroke="{_GREY}" stroke-width="3"/>'
        '<rect x="368" y="16" width="392" height="258" rx="6" fill="#fff" stroke="#dfe3e7"/>'
        f'<text x="392" y="37" fill="{_GREY}" font-size="13">report.html</text>{rows}</svg>\n'
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".svg").write_text(drawing())
