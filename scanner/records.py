"""The records that travel between the stages of a run.

Frozen dataclasses without behaviour beyond what follows from their own fields.
This module imports nothing of ours, so every package may import it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

if TYPE_CHECKING:  # a run's main process touches no array before its workers have started
    import numpy as np
    import numpy.typing as npt

FloatImage: TypeAlias = "npt.NDArray[np.float32]"

Status = Literal["scored", "rejected", "failed"]
GateVerdict = Literal["ok", "warn", "reject"]
Stage = Literal["walk", "read", "prepare", "classify", "gate"]

POSITIVE = "PNEUMONIA"
NEGATIVE = "NORMAL"
REFERRED = "REFER"
"""The call of a film whose probability lies in the band that the user wants read by a person."""

StudyRule = Literal["highest", "mean", "view"]
"""How a study's probability follows from those of its films; ``evaluation.studies`` says how."""
Duplicates = Literal["keep", "first"]
"""Whether files that are copies of another, byte by byte, count in figures, or the first of them alone."""
Band = tuple[float, float]
"""Lowest and highest probability, both inside."""

CELL_PX = 32
"""Side of the square of the network's input behind one cell of a heat map: the stride of MobileNetV2."""


def heat_side(input_px: int) -> int:
    """Cells along one side of the heat map of a network whose input has ``input_px`` pixels a side."""
    return -(-input_px // CELL_PX)


#: Why the gate warns about or rejects a film: code -> sentence for people. A closed list.
GATE_REASONS: dict[str, str] = {
    "blank": "The picture holds almost no contrast; there is nothing to judge.",
    "colour-picture": "The picture is strongly coloured; radiographs are grey.",
    "not-a-chest-film": "The picture does not look like a frontal chest radiograph.",
    "not-a-radiograph": "The DICOM header names a modality that is no projection radiograph.",
    "other-body-part": "The DICOM header names a body part other than the chest.",
    "body-part-unknown": "The DICOM header calls the body part by a word that may mean any; the picture decided.",
    "lateral-view": "The DICOM header says that this is a lateral view; the model knows frontal ones.",
    "unlike-training-films": (
        "The film differs from those that the model was trained on, as those of adults or of other devices do; "
        "the probability may be no better than chance."
    ),
    "adult": "The patient is older than the children that the model was trained on.",
    "age-unknown": "The DICOM header states no age; the model was trained on children.",
    "other-view": "The DICOM header states a view that the model was not trained on.",
    "view-unknown": "The DICOM header states no view; the model was trained on one view only.",
    "inverted": "Bright and dark seem to be exchanged; the model expects bones to be bright.",
    "rotated": "The film seems to be rotated or upside down.",
    "mirrored": "The film seems to be mirrored left to right, or the heart lies on the right.",
    "large-border": "Much of the picture is empty border; the chest is smaller than in the training films.",
    "exposure": "Much of the film is pure white or pure black, or it has hardly any contrast.",
    "blurred": "Fine detail is missing: the film is blurred or was enlarged from a small picture.",
    "low-resolution": "The picture is smaller than the model's input; detail is missing.",
    "tinted": "The picture is coloured: a tinted scan, or drawings on the film.",
    "heat-at-edge": "What drove the score lies at the film's edges; text, a marker or a border may have misled it.",
    "heat-outside-lungs": (
        "Most of what drove the score lies outside the lungs, as far as they were found; something else may have "
        "misled it."
    ),
    "lungs-cut-off": "A lung seems to go on beyond the edge of the film; what lies there cannot be judged.",
    "burned-in-text": (
        "The DICOM header says that text is burned into the picture. It may name the patient in every thumbnail, and "
        "mislead the model."
    ),
    "for-processing": "Raw detector pixels (FOR PROCESSING): the contrast differs from a finished film.",
    "orientation-unknown": "What the file says of its orientation makes no sense; it is shown as it is stored.",
    "window-misfit": (
        "The DICOM header's window shows this picture black, white or without contrast, as another picture's would; "
        "one that fits the pixels was taken, as with --window none."
    ),
    "number-unreadable": (
        "A number of the DICOM header that shapes the picture cannot be read and was ignored; pixel_path names it."
    ),
    "multi-frame": "The object holds several frames; only the first was scored.",
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure with its 95 % interval; never NaN: what is undefined is None, with the reason."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    """Why there is no value, or no interval."""


class Readable(Protocol):
    """What a film's bytes are read from."""

    def read_bytes(self) -> bytes:
        """All bytes; OSError with ``strerror`` where that fails."""
        ...


@dataclass(frozen=True, slots=True)
class ImageSource:
    """One file that the walk takes for a film."""

    path: Readable
    """Where the bytes lie: a ``Path``, or a place that is not on this machine."""
    name: str
    """The path shown to people: relative to the folder given, with forward slashes."""
    kind: str | None
    """Format (``cxrscan.scanner.readers.FORMATS``) found from the content; None when only the name promises a film."""
    size_bytes: int | None = None
    """None where the place does not tell."""
    mtime_ns: int | None = None
    """When it was changed last, in nanoseconds since 1970; None where the place does not tell."""
    data: bytes | None = field(default=None, repr=False)
    """The bytes themselves, when they are at hand and nothing is to be read from ``path``."""
    etag: str = ""
    """What a remote place says of this state of the file beyond size and time; empty where it says nothing."""
    within: str = ""
    """Folder below which no link may lie on the way to the file; empty where links are followed."""
    inode: int | None = None
    """The file's number on its device; None where that is not known."""
    device: int | None = None
    """Number of the device, as this machine counts them."""
    is_listed: bool = False
    """Whether a list names it, so that it has a row whatever it is."""

    @property
    def is_known(self) -> bool:
        """Whether anything tells this state of the file from another; a size alone does not."""
        return self.mtime_ns is not None or bool(self.etag)


@dataclass(frozen=True, slots=True)
class FilmAttributes:
    """What a DICOM header says about a film: the short list that may leave it.

    Empty strings and None mean "not stated". Raster films state nothing.
    """

    modality: str = ""
    """Modality (0008,0060), e.g. ``DX``."""
    body_part: str = ""
    """Body Part Examined (0018,0015), upper case."""
    view_position: str = ""
    """View Position (0018,5101): ``AP``, ``PA``, ``LL`` …"""
    patient_sex: str = ""
    """Patient's Sex (0010,0040): ``M``, ``F`` or ``O``."""
    patient_age_years: float | None = None
    """Patient's Age (0010,1010) in years; 89 stands for 89 and more."""
    presentation_intent: str = ""
    """Presentation Intent Type (0008,0068)."""
    manufacturer: str = ""
    """Manufacturer (0008,0070)."""
    pixel_spacing_mm: tuple[float, float] | None = None
    """Height and width of a pixel: Pixel Spacing (0028,0030), or Imager Pixel Spacing (0018,1164), at the detector."""
    ids: tuple[tuple[str, str], ...] = ()
    """(column, hashed or plain identifier) pairs; empty unless asked for."""


@dataclass(frozen=True, slots=True)
class Radiograph:
    """One decoded film, ready to be resized."""

    pixels: FloatImage
    """float32, shape (H, W), values in [0, 1], bright = dense (bone is white)."""
    width_px: int
    """Width of the stored picture, before any reduced-scale decoding."""
    height_px: int
    """Height of the stored picture."""
    pixel_path: str
    """The steps from stored to display values, e.g. ``jpeg>1/4>exif``."""
    chroma: float = 0.0
    """Mean difference between a pixel's largest and smallest colour channel, in [0, 1]; 0 for grey."""
    attributes: FilmAttributes = field(default_factory=FilmAttributes)
    reasons: tuple[str, ...] = ()
    """Keys of GATE_REASONS that reading already gave rise to."""


@dataclass(frozen=True, slots=True)
class Predictions:
    """What the network says of a batch of N films."""

    logits: npt.NDArray[np.float32]
    """shape (N,), uncalibrated log-odds of pneumonia."""
    embeddings: npt.NDArray[np.float32]
    """shape (N, 1280), the pooled last feature map."""
    heat_maps: npt.NDArray[np.float32]
    """shape (N, h, w), (7, 7) for inputs of 224 pixels; Grad-CAM in logit units, never negative."""


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Grad-CAM of one film: a square of cells over the whole film."""

    values: bytes = field(repr=False)
    """Little-endian float16 values in logit units, row by row."""
    side: int
    """Cells along one side."""

    def __post_init__(self) -> None:
        """Refuse values that make no such square."""
        if self.side < 1 or len(self.values) != 2 * self.side**2:
            raise ValueError(f"{len(self.values)} bytes are no heat map of {self.side} x {self.side} cells")

    @classmethod
    def of_square(cls, values: bytes) -> HeatMap:
        """Heat map of values that lie in a square, whose side follows from their number."""
        return cls(values, math.isqrt(len(values) // 2))


MAX_REGIONS = 3
"""Of one film; further ones are faint."""
Side = Literal["right", "left", ""]
"""The patient's own; empty where the film does not tell."""
Zone = Literal["upper", "mid", "lower", ""]


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a film in which the heat lies: what drove the score, not the outline of a disease."""

    polygon_px: tuple[tuple[int, int], ...]
    """Corners, x before y, in pixels of the film as it is shown upright."""
    hottest_px: tuple[int, int]
    """Place of the strongest heat."""
    share_of_heat: float
    """Of all heat of the film, in [0, 1]."""
    strength: float
    """The strongest heat, as a share of the model's scale; may exceed 1."""
    side: Side
    zone: Zone
    """Third of the lung's height."""

    @property
    def box_px(self) -> tuple[int, int, int, int]:
        """Left, top, width and height of the rectangle around the polygon."""
        columns, rows = [x for x, _ in self.polygon_px], [y for _, y in self.polygon_px]
        left, top = min(columns), min(rows)
        return left, top, max(columns) - left + 1, max(rows) - top + 1

    @property
    def place(self) -> str:
        """Side and zone in words, ``right lower``; empty where the film does not tell."""
        return " ".join(filter(None, (self.side, self.zone)))

    def size_mm(self, spacing_mm: tuple[float, float] | None) -> tuple[float, float] | None:
        """Width and height of the box; None where the spacing of pixels is unknown."""
        if spacing_mm is None:
            return None
        _, _, width_px, height_px = self.box_px
        return width_px * spacing_mm[1], height_px * spacing_mm[0]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a file has no score."""

    stage: Stage
    code: str
    """Key of ``cxrscan.scanner.errors.HINTS``."""
    message: str


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Everything that a scan found out about one file; one row of the journal."""

    name: str
    kind: str | None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    sha256: str = ""
    """Hash of the file's bytes; empty when they could not be read."""
    width_px: int | None = None
    height_px: int | None = None
    pixel_path: str = ""
    attributes: FilmAttributes = field(default_factory=FilmAttributes)
    prob_pneumonia: float | None = None
    """Calibrated probability in [0, 1]; None unless the film was scored."""
    population: str = ""
    """Population of the training films whose calibration was used; empty unless scored by a model that tells some."""
    heat_map: HeatMap | None = None
    """Where the probability came from; None unless scored."""
    regions: tuple[Region, ...] = ()
    """Where the heat lies, the largest share first; none where it is weak. Shown unless the call is ``NORMAL``."""
    thumbnail: bytes = b""
    """Small grey JPEG of the film; empty when nothing could be decoded."""
    embedding: bytes = field(default=b"", repr=False)
    """What the network made of the film before its head: little-endian float16 values, 1280 for width 1; empty unless
    scored, or when the run keeps none."""
    gate: GateVerdict | None = None
    gate_reasons: tuple[str, ...] = ()
    gate_distance: float | None = None
    """How unlike the training films the picture is: 0 for a typical one, above 1 the gate speaks up. None unless the
    gate held the picture against statistics of the training films."""
    failure: Failure | None = None
    duration_ms: float = 0.0
    etag: str = ""
    """``ImageSource.etag`` of the file that was scanned."""
    stage_s: dict[str, float] = field(default_factory=dict, compare=False, repr=False)
    """Seconds in each of ``WORKER_STAGES`` of the stopwatch; adds up to the duration. Not kept in the journal."""

    @classmethod
    def of(cls, source: ImageSource, failure: Failure | None = None) -> ScanResult:
        """Begin the record of a file, or end it with a failure."""
        return cls(source.name, source.kind, source.size_bytes, source.mtime_ns, etag=source.etag, failure=failure)

    @property
    def status(self) -> Status:
        """``failed``, ``rejected`` by the gate, or ``scored``."""
        if self.failure is not None:
            return "failed"
        return "rejected" if self.gate == "reject" else "scored"


@dataclass(frozen=True, slots=True)
class Film:
    """A scan result together with the truth that the labels give for it."""

    result: ScanResult
    truth: str | None = None
    """``PNEUMONIA``, ``NORMAL`` or None without a label."""
    study: str = ""
    """What it belongs to; empty where a run's films are not grouped."""
    patient: str = ""
    """Whose film it is; empty where nothing says so, or films are not grouped."""


@dataclass(frozen=True, slots=True)
class Skip:
    """A file that the walk passed over, with the reason told at ``-v``."""

    name: str
    reason: str
    code: str = ""
    """Key of ``cxrscan.scanner.errors.HINTS``, for a file that was opened to find out."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Files by outcome; scored + rejected + failed = films."""

    n_films: int
    n_scored: int
    n_rejected: int
    n_failed: int
    n_warned: int
    """Scored with a caveat of the gate."""
    n_positive: int
    """Scored at or above the threshold, and not referred."""
    n_referred: int = 0
    """Scored within the band of ``RunInfo.refer``; called neither."""
    n_copies: int = 0
    """Scored files with the very bytes of another that comes before."""

    @property
    def n_negative(self) -> int:
        """Scored below the threshold, and not referred."""
        return self.n_scored - self.n_positive - self.n_referred


@dataclass(frozen=True, slots=True)
class Reading:
    """How a run read its films: whoever shows an original reads it in the same way."""

    window: int | None = 0
    """Which of a DICOM film's windows or VOI LUTs was applied, from 0; None for one that fits the pixels."""
    max_megapixels: float = 200.0
    """Larger pictures were refused."""


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What is true of a run as a whole; becomes the manifest ``run.json``."""

    version: str
    """cxrscan's version."""
    roots: tuple[str, ...]
    """The folders and files given."""
    arguments: dict[str, Any]
    """The command's options, JSON-ready."""
    started_at: str
    """ISO 8601, UTC, whole seconds."""
    finished_at: str
    exit_reason: Literal["finished", "interrupted", "terminated"]
    """Whether everything was scanned, or Ctrl-C or a SIGTERM came first."""
    threshold: float
    """Probability at or above which a film is called PNEUMONIA."""
    threshold_name: str
    """Name of the operating point, or ``custom``."""
    labels: str
    """Where the truth came from: ``folders``, a file's name, or empty."""
    n_skipped: dict[str, int]
    """Files passed over by the walk: reason -> count."""
    duration_s: float
    """Wall time of the scan, all sessions of a resumed run together."""
    versions: dict[str, str]
    """Python, the platform and the libraries that shape the numbers."""
    refer: Band | None = None
    """Films with a probability in this band are marked REFER; None for no such call."""
    notes: tuple[str, ...] = ()
    """Sentences on what this run could not do."""
    profile_s: dict[str, float] = field(default_factory=dict)
    """Seconds in each of ``cxrscan.scanner.system.stopwatch.STAGES``, the workers' added up."""
    shard: str = ""
    """``3/16`` when only one part of the films was looked at."""
    names: Literal["plain", "hashed"] = "plain"
    """Whether outputs call the films as their folder does, or by their files' hash."""
    duplicates: Duplicates = "keep"
    """With ``first``, of identical files the first alone keeps its label in outputs."""
    argument_sources: dict[str, str] = field(default_factory=dict)
    """Where arguments come from that are not the usual ones: the command line, a variable or a file of settings."""
    group: str = ""
    """What makes films a study: ``dicom``, ``folder``, or a column of the label file; empty for no studies."""
    study_rule: StudyRule = "highest"
    """How a study's probability follows from those of its films."""


@dataclass(frozen=True, slots=True)
class Fit:
    """How far a run's films are those that its model knows."""

    level: Literal["good", "doubtful", "poor"]
    n_outside: int
    """Scored films that differ from those that the model was trained on."""
    n_judged: int
    """Scored films that the gate has looked at."""


@dataclass(frozen=True, slots=True)
class StudySummary:
    """What a run's studies amount to."""

    group: str
    rule: StudyRule
    n_studies: int
    n_patients: int
    """A study that nothing says the patient of counts as a patient's own."""
    n_without_patient: int
    """Studies that nothing says the patient of."""
    n_scored: int
    """Studies with a probability."""
    n_positive: int
    """Called PNEUMONIA."""
    n_referred: int
    n_labelled: int
    """With a label and a call; figures are of these."""
    figures: Mapping[str, Estimate]
    """Metric -> figure at the run's threshold; empty without labels."""
    is_clustered: bool
    """Whether intervals are clustered by patient, as a patient has several labelled studies."""
    repeat: float | None
    """Difference in the network's log-odds that 95 % of the pairs of versions of one film stay below; None: nobody
    measured it."""
    n_follow_ups: int
    """Scored studies of patients who have an earlier scored one."""
    n_changed: int
    """Of these, the ones that changed by more than ``repeat``."""


@dataclass(frozen=True, slots=True)
class Outputs:
    """What was rendered of a run: where the files lie, and what they count."""

    csv: Path
    html: Path
    json: Path
    counts: Counts
    render_s: float = 0.0
    """Wall time that rendering took."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Error code -> files, most first."""
    figures: Mapping[str, Estimate] = field(default_factory=dict)
    """Metric -> figure at the run's threshold; empty without labels."""
    fit: Fit | None = None
    """None where the gate judged no scored film."""
    studies: StudySummary | None = None
    """None where films are not grouped."""
    films: tuple[Film, ...] = ()
    """The films themselves, where they are few enough to be told one by one."""
    others: tuple[Path, ...] = ()
    """Further files that were written: tables in other forms, and pictures beside the report."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was written, and nothing that only lies beside it."""
        return (self.csv, self.html, self.json, *self.others)
