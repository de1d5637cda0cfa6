"""The folder that ``cxrscan demo`` scans: synthetic films as people have them, and two files that are none.

Every film says in its own metadata that it is synthetic.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.synthetic_films import ADULTS_MODEL_PATH, CLASSES, MODEL_PATH, FilmModel, draw_film, enlarge
from cxrscan.scanner.system.whole_files import replacing, write_whole

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NOTICE = "Synthetic film drawn by cxrscan demo; it shows no patient."


@dataclass(frozen=True, slots=True)
class _People:
    """Whom films look like."""

    name: str
    model: Path
    ages_years: tuple[int, int]
    """From, and below."""
    view: str


#: Children and adults take turns in each class.
_PEOPLE = (
    _People("child", MODEL_PATH, (1, 6), "AP"),
    _People("adult", ADULTS_MODEL_PATH, (20, 86), "PA"),
)
#: Formats of the films of one class; DICOM by photometric interpretation.
_KINDS = ("jpg",) * 7 + ("png",) * 2 + ("MONOCHROME1", "MONOCHROME2", "MONOCHROME2")
_WIDTH_PX = (950, 1250)
# Grain finer than the model's canvas: (size in pixels, standard deviation). With it, drawn films have about the
# energy per octave of the 160 full-size training films, resampled to 1100 pixels.
_GRAIN = ((1, 0.006), (2, 0.008), (4, 0.008))
_DICOM_MAX = 4095  # 12 bits stored
_DICOM_WINDOW = (300, 3500)  # darkest and brightest value on display


def draw_demo_folder(folder: Path, *, seed: int = 0) -> list[Path]:
    """Fill a folder with labelled synthetic films, a drawing that is no X-ray, and a broken file.

    Films lie in the class folders NORMAL and PNEUMONIA; JPEG, PNG and DICOM in both photometric interpretations
    are among them. Half of each class look like children's films, half like adults', as their names say. The other
    two files lie in a folder OTHER.

    Parameters
    ----------
    folder
        Made if need be; files of the same names are replaced.
    seed
        The same seed gives the same files.

    Returns
    -------
    The files written: films by class, then the drawing and the broken file.

    Raises
    ------
    RunFolderError
        ``output-unwritable``: the folder or a file in it cannot be written.
    """
    try:
        return _write_files(folder, seed)
    except OSError as error:
        raise RunFolderError("output-unwritable", f"{folder} cannot be written: {error.strerror}.") from error


def _write_files(folder: Path, seed: int) -> list[Path]:
    rng = np.random.default_rng(seed)
    models = {people: FilmModel.load(people.model) for people in _PEOPLE}
    for name in (*CLASSES, "OTHER"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    paths = []
    for label, name in enumerate(CLASSES):
        for number, kind in enumerate(_KINDS, start=1 + label * len(_KINDS)):
            people = _PEOPLE[(number - 1) % len(_PEOPLE)]
            film = draw_film(models[people], label, rng, int(rng.integers(*_WIDTH_PX)))
            _add_grain(film, rng)
            _add_side_marker(film, rng)
            is_dicom = kind.startswith("MONOCHROME")
            path = folder / name / f"synthetic-{number:02}-{people.name}.{'dcm' if is_dicom else kind}"
            write_whole(
                path,
                _dicom_file(film, kind, _dicom_header(people, number, rng)) if is_dicom else _raster_file(film, kind),
            )
            paths.append(path)
    drawing, broken = folder / "OTHER" / "drawing.png", folder / "OTHER" / "cut-short.jpg"
    with replacing(drawing) as file:
        _house().save(file, "PNG")
    whole = paths[0].read_bytes()
    write_whole(broken, whole[: len(whole) // 3])
    return [*paths, drawing, broken]


def _add_grain(film: FloatImage, rng: np.random.Generator) -> None:
    """Add noise of several sizes; hardly any where the film is black."""
    height, width = film.shape
    brightness = np.minimum(film * 4, 1.0)
    for size, amplitude in _GRAIN:
        noise = rng.standard_normal((height // size, width // size), dtype=np.float32)
        film += amplitude * brightness * enlarge(noise, film.shape)
    np.clip(film, 0.0, 1.0, out=film)


def _add_side_marker(film: FloatImage, rng: np.random.Generator) -> None:
    """Put the letter R on the patient's right; its place does not depend on the class."""
    height, width = film.shape
    marker = Image.new("L", (width, height))
    corner = width * rng.uniform(0.02, 0.06), height * rng.uniform(0.08, 0.42)
    ImageDraw.Draw(marker).text(corner, "R", fill=245, font=ImageFont.load_default(width / 18))
    np.maximum(film, np.asarray(marker, dtype=np.float32) / 255, out=film)


def _raster_file(film: FloatImage, kind: str) -> bytes:
    picture, out = Image.fromarray(np.rint(film * 255).astype(np.uint8)), io.BytesIO()
    if kind == "jpg":
        picture.save(out, "JPEG", quality=90, comment=NOTICE)
    else:
        texts = PngInfo()
        texts.add_text("Comment", NOTICE)
        picture.save(out, "PNG", compress_level=1, pnginfo=texts)
    return out.getvalue()


def _dicom_file(film: FloatImage, photometric: str, dataset: Dataset) -> bytes:
    """Store a film as Computed Radiography Image (DICOM PS3.3, A.2): 12 bits, shown through a window."""
    from pydicom.uid import ExplicitVRLittleEndian

    darkest, brightest = _DICOM_WINDOW
    stored = np.rint(darkest + film * (brightest - darkest)).astype(np.uint16)
    if photometric == "MONOCHROME1":
        stored = _DICOM_MAX - stored
        darkest, brightest = _DICOM_MAX - brightest, _DICOM_MAX - darkest
    # PS3.3 C.11.2.1.2.1: a linear window reaches from centre - width / 2 to centre + width / 2 - 1.
    dataset.WindowCenter = (darkest + brightest + 1) / 2
    dataset.WindowWidth = brightest - darkest + 1
    dataset.set_pixel_data(stored, photometric, 12, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _dicom_header(people: _People, number: int, rng: np.random.Generator) -> Dataset:
    """Header of a frontal chest film, with identifiers that belong to nobody."""
    from pydicom.dataset import Dataset
    from pydicom.uid import ComputedRadiographyImageStorage, generate_uid

    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = ComputedRadiographyImageStorage
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"):
        setattr(dataset, keyword, generate_uid(entropy_srcs=[rng.bytes(16).hex()]))
    dataset.PatientName = "Synthetic^Film"
    dataset.PatientID = f"SYNTHETIC-{number:02}"
    dataset.PatientSex = "FM"[rng.integers(2)]
    dataset.PatientAge = f"{rng.integers(*people.ages_years):03}Y"
    for keyword in ("PatientBirthDate", "StudyDate", "StudyTime", "AccessionNumber", "ReferringPhysicianName"):
        setattr(dataset, keyword, "")
    dataset.StudyID = str(number)
    dataset.SeriesNumber = dataset.InstanceNumber = 1
    dataset.Modality = "CR"
    dataset.Manufacturer = "cxrscan demo"
    dataset.BodyPartExamined = "CHEST"
    dataset.ViewPosition = people.view
    dataset.PatientOrientation = ["L", "F"]
    dataset.ImageComments = NOTICE
    return dataset


def _house() -> Image.Image:
    """A house in a meadow: a picture that is no radiograph."""
    picture = Image.new("RGB", (800, 600), "skyblue")
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 400, 800, 600), fill="yellowgreen")
    draw.ellipse((620, 50, 720, 150), fill="gold")
    draw.rectangle((260, 270, 520, 460), fill="tomato")
    draw.polygon([(230, 270), (390, 150), (550, 270)], fill="saddlebrown")
    draw.rectangle((355, 360, 425, 460), fill="navy")
    draw.rectangle((285, 300, 335, 345), fill="white")
    draw.rectangle((445, 300, 495, 345), fill="white")
    draw.rectangle((90, 330, 115, 440), fill="sienna")
    draw.ellipse((40, 220, 165, 350), fill="forestgreen")
    return picture
