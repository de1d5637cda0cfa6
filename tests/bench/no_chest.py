"""Pictures that show no chest, for measuring the gate: from packages' sample files, and drawn in code.

Everything comes grey and without a header, so that neither colour nor the header gives it away.
"""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.readers import ReadOptions, read_film
from tests.bench.projected_bones import PARTS, draw_part

Uint8Image = npt.NDArray[np.uint8]
Picture = tuple[str, Uint8Image]

_MIN_SIDE_PX = 60  # smaller sample files hold no recognisable picture
_CROPS = 3
_WORDS = ("film", "shows", "report", "lung", "patient", "of", "in", "and", "was", "not", "total", "date", "page")


def photos() -> Iterator[Picture]:
    """Sample photographs, whole and in parts, as they are and mirrored."""
    rng = np.random.default_rng(0)
    for package in ("scikit-image", "scikit-learn", "nilearn"):
        for path in package_files(package, (".png", ".jpg", ".jpeg")):
            with Image.open(path) as image:
                grey = np.asarray(image.convert("RGBA").convert("L"))
            if min(grey.shape) >= _MIN_SIDE_PX and path.stem not in _NOT_PHOTOS:
                yield path.stem, grey
                for i in range(_CROPS):
                    yield f"{path.stem}-part-{i}", _part(grey, rng)


_NOT_PHOTOS = {"page", "text", "logo", "phantom", "chessboard_GRAY", "chessboard_RGB", "horse", "color"}


def documents(n: int = 60) -> Iterator[Picture]:
    """Pages of text, forms, tables, charts, an electrocardiogram, screens; and scanned pages of packages."""
    for path in package_files("scikit-image", (".png",)):
        if path.stem in {"page", "text"}:
            yield path.stem, np.asarray(Image.open(path).convert("L"))
    kinds = (_page, _form, _table, _chart, _cardiogram, _screen)
    for seed in range(n):
        draw = kinds[seed % len(kinds)]
        yield f"{draw.__name__[1:]}-{seed}", draw(np.random.default_rng(seed))


def drawings(n: int = 60) -> Iterator[Picture]:
    """Faces, houses, blobs, lungs as a child draws them; logos."""
    for path in package_files("scikit-image", (".png",)):
        if path.stem in {"logo", "phantom", "horse", "chessboard_GRAY", "color"}:
            yield path.stem, np.asarray(Image.open(path).convert("RGBA").convert("L"))
    kinds = (_face, _house, _blobs, _sketched_lungs, _polygons)
    for seed in range(n):
        draw = kinds[seed % len(kinds)]
        yield f"{draw.__name__[1:]}-{seed}", draw(np.random.default_rng(seed))


def noise(n: int = 60) -> Iterator[Picture]:
    """Noise of every colour, stripes, gradients, checks, flat pictures."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        kind = ("white", "pink", "blurred", "salt", "stripes", "gradient", "checks", "flat", "vignette")[seed % 9]
        yield f"{kind}-{seed}", _noise(kind, rng)


def slices() -> Iterator[Picture]:
    """Slices of CT, MR and ultrasound from packages' sample files; drawn phantoms."""
    for package in ("pydicom", "pydicom-data", "nibabel"):
        for path in package_files(package, (".dcm", *(f"/{i}" for i in range(10)))):
            if path.stem.split("_")[0] in {"RG1", "RG3", "vlut", "mlut", "liver", "SC", "OT-PAL-8-face"}:
                continue
            try:
                film = read_film(path.read_bytes(), ReadOptions())[0]
            except CxrscanError:
                continue
            if min(film.pixels.shape) >= _MIN_SIDE_PX and film.pixels.std() > 0.02:
                yield f"{package}-{path.stem}", _uint8(film.pixels)
    yield from _brain_slices()
    for seed in range(24):
        yield f"body-phantom-{seed}", _body_slice(np.random.default_rng(seed))


def angiograms(n: int = 24) -> Iterator[Picture]:
    """Branching vessels filled with contrast medium."""
    for seed in range(n):
        yield f"vessels-{seed}", _vessels(np.random.default_rng(seed))


def other_films(n: int = 12) -> Iterator[Picture]:
    """Films of limbs, hips and heads: one leg from pydicom's data, whole, in parts and turned; drawn ones."""
    for path in package_files("pydicom-data", ("RG3_UNCR.dcm",)):
        leg = _uint8(read_film(path.read_bytes(), ReadOptions())[0].pixels)
        leg = np.asarray(cv2.resize(leg, (600, 600), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        shaft = leg[:, 150:340]
        for name, picture in (("leg", leg), ("leg-cut", shaft), ("leg-upper", shaft[:300]), ("leg-lower", shaft[300:])):
            for turn in range(4):
                yield f"{name}-turned-{turn}", np.ascontiguousarray(np.rot90(picture, turn))
            yield f"{name}-mirrored", np.ascontiguousarray(picture[:, ::-1])
    for part in PARTS:
        for seed in range(n):
            yield f"{part}-{seed}", draw_part(part, np.random.default_rng([seed, 7]))


# -- where sample files lie


@cache
def package_files(package: str, endings: tuple[str, ...]) -> list[Path]:
    """Files of an installed package with certain endings; none of a package that is not there."""
    try:
        found = files(package) or []
    except PackageNotFoundError:
        return []
    return sorted(
        Path(str(file.locate())) for file in found if str(file).lower().endswith(tuple(map(str.lower, endings)))
    )


def _brain_slices() -> Iterator[Picture]:
    """Slices of the MNI brain in three directions, as head MR would be exported."""
    for path in package_files("nilearn", ("t1_tal_nlin_sym_09a_converted.nii.gz",)):
        data = gzip.decompress(path.read_bytes())
        shape = np.frombuffer(data, "<i2", 3, 42)
        kind = {2: "u1", 4: "<i2", 16: "<f4", 64: "<f8"}[int(np.frombuffer(data, "<i2", 1, 70)[0])]
        offset = int(np.frombuffer(data, "<f4", 1, 108)[0])
        volume = np.frombuffer(data, kind, int(shape.prod()), offset).reshape(shape, order="F").astype(np.float32)
        volume /= volume.max()
        for axis in range(3):
            for share in np.linspace(0.25, 0.75, 8):
                plane = np.take(volume, int(share * shape[axis]), axis=axis)
                yield f"brain-{axis}-{share:.2f}", _uint8(np.rot90(plane))


def _uint8(picture: npt.NDArray[np.float32]) -> Uint8Image:
    return np.ascontiguousarray(np.clip(picture * 255, 0, 255).astype(np.uint8))


def _part(picture: Uint8Image, rng: np.random.Generator) -> Uint8Image:
    height, width = (int(side * rng.uniform(0.4, 0.8)) for side in picture.shape)
    top, left = (int(rng.integers(0, whole - side)) for whole, side in zip(picture.shape, (height, width), strict=True))
    part = picture[top : top + height, left : left + width]
    return np.ascontiguousarray(part[:, ::-1] if rng.random() < 0.5 else part)


# -- drawn pictures


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    (path,) = package_files("matplotlib", ("ttf/DejaVuSans.ttf",))
    return ImageFont.truetype(io.BytesIO(path.read_bytes()), size)


def _text(rng: np.random.Generator, n: int) -> str:
    return " ".join(rng.choice(_WORDS, n))


def _page(rng: np.random.Generator) -> Uint8Image:
    page = Image.new("L", (480, 640), int(rng.integers(225, 256)))
    pen, size = ImageDraw.Draw(page), int(rng.integers(10, 20))
    pen.text((40, 20), _text(rng, 4).title(), fill=10, font=_font(size + 8))
    for y in range(70, 620, int(size * 1.5)):
        pen.text((40, y), _text(rng, int(rng.integers(3, 12))), fill=30, font=_font(size))
    return np.asarray(page.rotate(rng.uniform(-3, 3), fillcolor=250))


def _form(rng: np.random.Generator) -> Uint8Image:
    page = Image.new("L", (500, 600), 250)
    pen = ImageDraw.Draw(page)
    for y in range(30, 570, int(rng.integers(35, 70))):
        pen.text((30, y), _text(rng, 2), fill=40, font=_font(14))
        pen.rectangle((int(rng.integers(160, 240)), y - 4, 470, y + 22), outline=60)
    return np.asarray(page)


def _table(rng: np.random.Generator) -> Uint8Image:
    page = Image.new("L", (600, 420), 255)
    pen = ImageDraw.Draw(page)
    for y in range(20, 410, 26):
        pen.line((20, y, 580, y), fill=90)
        for x in range(20, 580, 93):
            pen.line((x, 20, x, 410), fill=90)
            pen.text((x + 8, y + 5), f"{rng.normal(50, 20):.1f}", fill=20, font=_font(13))
    return np.asarray(page)


def _chart(rng: np.random.Generator) -> Uint8Image:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4), dpi=90)
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    n = int(rng.integers(6, 40))
    draw = (axes.plot, axes.bar, axes.scatter)[int(rng.integers(3))]
    draw(np.arange(n), rng.normal(size=n).cumsum())
    axes.set_title(_text(rng, 3))
    canvas.draw()
    return np.asarray(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L"))


def _cardiogram(rng: np.random.Generator) -> Uint8Image:
    page = np.full((400, 640), 245, np.uint8)
    page[::16], page[:, ::16] = 215, 215
    t = np.arange(640)
    for row in range(4):
        beat = np.exp(-(((t % 80) - 30) ** 2) / 8) * rng.uniform(20, 45) + 6 * np.exp(-(((t % 80) - 55) ** 2) / 60)
        y = (60 + 90 * row - beat + rng.normal(0, 1, 640)).astype(int)
        cv2.polylines(page, [np.column_stack([t, y]).astype(np.int32)], False, 20, 2)
    return page


def _screen(rng: np.random.Generator) -> Uint8Image:
    page = np.full((480, 800), int(rng.choice([30, 240])), np.uint8)
    ink = 255 - int(page[0, 0])
    cv2.rectangle(page, (0, 0), (800, 40), ink // 2 + 60, -1)
    for _ in range(int(rng.integers(4, 12))):
        x, y = int(rng.integers(0, 700)), int(rng.integers(50, 440))
        cv2.rectangle(page, (x, y), (x + int(rng.integers(40, 300)), y + int(rng.integers(20, 160))), ink // 3 + 60, -1)
        cv2.putText(page, _text(rng, 3), (x, y), 0, 0.5, ink, 1)
    return page


def _face(rng: np.random.Generator) -> Uint8Image:
    page = np.full((400, 400), 255, np.uint8)
    cv2.circle(page, (200, 200), int(rng.integers(120, 190)), 0, 4)
    for x in (140, 260):
        cv2.circle(page, (x, 150), int(rng.integers(12, 30)), 0, -1)
    cv2.ellipse(page, (200, 240), (int(rng.integers(40, 90)), 50), 0, 20, 160, 0, 5)
    return page


def _house(rng: np.random.Generator) -> Uint8Image:
    page = np.full((400, 500), int(rng.integers(200, 256)), np.uint8)
    left, right = int(rng.integers(80, 150)), int(rng.integers(330, 420))
    cv2.rectangle(page, (left, 180), (right, 380), 120, -1)
    cv2.fillPoly(page, [np.array([(left - 20, 180), (right + 20, 180), ((left + right) // 2, 60)], np.int32)], 60)
    cv2.rectangle(page, (left + 90, 270), (left + 150, 380), 30, -1)
    cv2.circle(page, (440, 60), 35, 0, 3)
    return page


def _blobs(rng: np.random.Generator) -> Uint8Image:
    page = np.full((400, 400), int(rng.choice([0, 255])), np.uint8)
    for _ in range(int(rng.integers(2, 15))):
        axes = tuple(map(int, rng.integers(10, 110, 2)))
        cv2.ellipse(
            page,
            tuple(map(int, rng.integers(0, 400, 2))),
            axes,
            rng.uniform(0, 180),
            0,
            360,
            int(rng.integers(256)),
            -1,
        )
    return page


def _sketched_lungs(rng: np.random.Generator) -> Uint8Image:
    """Two outlines and ribs in pen: what a chest drawing has, and a film has not."""
    page, ink = np.full((420, 420), 255, np.uint8), int(rng.integers(0, 120))
    for x in (135, 285):
        cv2.ellipse(page, (x, 220), (int(rng.integers(50, 75)), int(rng.integers(120, 165))), 0, 0, 360, ink, 4)
        for y in range(120, 340, int(rng.integers(25, 45))):
            cv2.line(page, (x - 45, y), (x + 45, y + 8), ink, 2)
    cv2.line(page, (210, 40), (210, 390), ink, 3)
    return page


def _polygons(rng: np.random.Generator) -> Uint8Image:
    page = np.full((400, 400), 255, np.uint8)
    for _ in range(int(rng.integers(3, 12))):
        cv2.polylines(page, [rng.integers(0, 400, (int(rng.integers(3, 8)), 2)).astype(np.int32)], True, 0, 2)
    return page


def _noise(kind: str, rng: np.random.Generator) -> Uint8Image:
    side = 320
    y, x = np.mgrid[0 : 1 : side * 1j, 0 : 1 : side * 1j]
    white = rng.normal(size=(side, side))
    if kind == "pink":
        frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side))) + 0.003
        white = np.fft.ifft2(np.fft.fft2(white) / frequency ** rng.uniform(0.8, 1.8)).real
    elif kind == "blurred":
        white = cv2.GaussianBlur(white, (0, 0), rng.uniform(2, 30))
    elif kind == "salt":
        white = (white > rng.uniform(1, 2.5)).astype(float)
    elif kind == "stripes":
        white = np.sin((x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1)) * rng.uniform(10, 90)) + 0.05 * white
    elif kind == "gradient":
        white = x * rng.uniform(-1, 1) + y * rng.uniform(-1, 1) + 0.005 * white
    elif kind == "checks":
        n = int(rng.integers(4, 30))
        white = ((x * n).astype(int) + (y * n).astype(int)) % 2 + 0.02 * white
    elif kind == "flat":
        return np.full((side, side), int(rng.integers(256)), np.uint8)
    elif kind == "vignette":
        white = np.hypot(x - rng.uniform(0.3, 0.7), y - rng.uniform(0.3, 0.7)) * rng.choice([-1, 1]) + 0.01 * white
    low, high = np.quantile(white, [0.005, 0.995])
    return np.clip(255 * (white - low) / (high - low + 1e-9), 0, 255).astype(np.uint8)


def _body_slice(rng: np.random.Generator) -> Uint8Image:
    """An axial slice: skin, ribs around two lungs or an abdomen, spine, table."""
    side = 320
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]

    def inside(cx: float, cy: float, rx: float, ry: float) -> npt.NDArray[np.bool_]:
        return np.asarray(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1)

    wide, deep = rng.uniform(0.7, 0.9), rng.uniform(0.45, 0.65)
    picture = np.where(inside(0, 0, wide, deep), 110.0, 2.0)
    picture[inside(0, 0, wide * 0.92, deep * 0.9)] = 140
    if rng.random() < 0.6:
        for sign in (-1, 1):
            picture[inside(sign * wide * 0.45, -0.02, wide * 0.36, deep * 0.68)] = 25
    for angle in np.linspace(0, 2 * np.pi, 14):
        picture[inside(wide * 0.85 * np.cos(angle), deep * 0.83 * np.sin(angle), 0.05, 0.03)] = 240
    picture[inside(0, deep * 0.6, 0.11, 0.13)] = 235
    picture[inside(0.05, -0.05, rng.uniform(0.1, 0.2), 0.15)] = 170
    picture[np.abs(y - deep - 0.1 - 0.1 * x**2) < 0.015] = 150
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1) + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def _vessels(rng: np.random.Generator) -> Uint8Image:
    picture = np.full((360, 360), rng.uniform(150, 190), np.float32)
    picture += 50 * cv2.GaussianBlur(rng.normal(size=picture.shape).astype(np.float32), (0, 0), 40) * 40

    def grow(start: npt.NDArray[np.float64], angle: float, width: float) -> None:
        while width > 1:
            end = start + np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(8, 18)
            cv2.line(picture, tuple(map(int, start)), tuple(map(int, end)), 60.0, max(1, int(width)))
            start, angle, width = end, angle + rng.normal(0, 0.3), width * rng.uniform(0.93, 0.99)
            if rng.random() < 0.15:
                grow(start, angle + rng.choice([-1, 1]) * rng.uniform(0.4, 0.9), width * 0.7)

    for _ in range(int(rng.integers(1, 4))):
        grow(rng.uniform(60, 300, 2), rng.uniform(0, 2 * np.pi), rng.uniform(5, 12))
    picture = 255 - picture if rng.random() < 0.5 else picture
    if rng.random() < 0.5:
        y, x = np.mgrid[-1:1:360j, -1:1:360j]
        picture[np.hypot(x, y) > 1] = 0
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 1) + rng.normal(0, 5, picture.shape), 0, 255).astype(np.uint8)
