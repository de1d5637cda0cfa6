"""The secondary capture of one film: what a viewer that draws no report shows of the result.

Film, heat map and result as one picture (Secondary Capture Image, PS3.3 section A.8.1); it accompanies the report.
"""

from __future__ import annotations

from pydicom import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from cxrscan.reports.wording import code_title, probability_text
from cxrscan.scanner import NOTICE
from cxrscan.scanner.dicom_results.answer import CALLS, Answer
from cxrscan.scanner.dicom_results.film_header import FilmHeader
from cxrscan.scanner.dicom_results.modules import Kind, ascii_text, code, film_reference, start_object
from cxrscan.scanner.records import FloatImage
from cxrscan.scanner.viewer.pictures import (
    Uint8Image,
    Viewport,
    annotated_picture,
    draw_outlines,
    render_film,
    render_overlay,
)

CAPTURE = Kind("capture", SecondaryCaptureImageStorage, "OT", 9902, "RESEARCH ONLY cxrscan heat map")

RESEARCH_ONLY = "RESEARCH ONLY \N{EN DASH} NOT FOR DIAGNOSIS"
LONG_SIDE_PX = 768
"""Of the film in the picture, 2 MB: the film itself lies beside it, and a heat map has few cells."""
_OPACITY = 0.6


def make_capture(film: FilmHeader, answer: Answer, pixels: FloatImage) -> Dataset:
    """Make the capture of a film.

    Parameters
    ----------
    pixels
        The film at full size: float32 array, shape (H, W), values in [0, 1].
    """
    picture = draw_result(answer, pixels)
    dataset = start_object(CAPTURE, film, answer)
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY", "OTHER"]
    dataset.BodyPartExamined = "CHEST"
    dataset.PatientOrientation = list(film.orientation)
    dataset.BurnedInAnnotation = "YES"
    dataset.DerivationDescription = ascii_text(f"{answer.sentence}. {NOTICE}")
    dataset.SourceImageSequence = [_source(film)]
    for element in film.lossy:
        dataset.add(element)
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
    dataset.Rows, dataset.Columns = picture.shape[:2]
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    dataset.PixelData = picture.tobytes() + b"\0" * (picture.size % 2)
    dataset["PixelData"].VR = "OB"
    return dataset


def draw_result(answer: Answer, pixels: FloatImage) -> Uint8Image:
    """Draw film, heat map, legend and result.

    Returns
    -------
    uint8 array, shape (H, W, 3), red, green and blue.
    """
    pane = render_film(pixels, Viewport(), long_side_px=LONG_SIDE_PX)
    scale = ""
    if answer.heat_map is not None:
        pane = render_overlay(pane, answer.heat_map, answer.model.heat_scale, Viewport(), _OPACITY)
        scale = f"{answer.model.heat_scale:.3g} logit units"
    if answer.regions:
        pane = draw_outlines(pane, answer.regions, answer.size_px, Viewport())
    return annotated_picture([pane], [RESEARCH_ONLY, *_result_lines(answer)], _small_print(answer), scale)


def _result_lines(answer: Answer) -> list[str]:
    if answer.prob_pneumonia is None:
        return ["NOT SCORED: not recognised as a frontal chest film"]
    return [
        f"Pneumonia {CALLS[answer.call].meaning.upper()}",
        f"Probability {answer.prob_pneumonia:.4f}, threshold {probability_text(answer.threshold)} "
        f"({answer.threshold_name})",
        *(["Not reliable for this film: see the caveats below"] if answer.gate_reasons else []),
    ]


def _small_print(answer: Answer) -> list[str]:
    caveats = [f"Caveat: {code_title(reason)}" for reason in answer.gate_reasons]
    return [*caveats, f"Model {answer.model.label}, cxrscan {answer.version}", NOTICE]


def _source(film: FilmHeader) -> Dataset:
    item = film_reference(film)
    item.PurposeOfReferenceCodeSequence = [code("121322", "DCM", "Source image for image processing operation")]
    return item
