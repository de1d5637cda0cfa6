"""The gate: what it says of headers, of pictures, and of films turned, inverted, framed or blurred."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw

from cxrscan.scanner.demo import draw_demo_folder
from cxrscan.scanner.errors import BundleError
from cxrscan.scanner.gate import evidence, judge, judge_answer
from cxrscan.scanner.gate.statistics import GateStatistics, Look
from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE, SPEC_NAME, WEIGHTS_NAME, TrainedOn, load_bundle, read_document
from cxrscan.scanner.packed_arrays import pack
from cxrscan.scanner.readers import ReadOptions, read_film
from cxrscan.scanner.records import GATE_REASONS, FilmAttributes, Radiograph, ScanResult
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources.walk import find_images
from cxrscan.scanner.worker import scan_chunk
from cxrscan.training.dataset import FilmFile, LoadedFilms
from cxrscan.training.gate_statistics import add_gate
from tests.bench.thorax import FRONTAL_DEG, LATERAL_DEG, draw_film
from tests.builders import dicom_film, encode, film_pixels

Picture = npt.NDArray[np.uint8]
N_TRAIN, N_VALIDATION = 96, 48
CHILD = FilmAttributes(modality="DX", body_part="CHEST", view_position="AP", patient_age_years=4.0)


def film(seed: int) -> Picture:
    return film_pixels(seed, height=224, width=224)


def framed(picture: Picture) -> Picture:
    return cv2.copyMakeBorder(picture, 70, 70, 70, 70, cv2.BORDER_CONSTANT, value=0)  # type: ignore[return-value]


def page_of_text(rng: np.random.Generator) -> Picture:
    page = Image.new("L", (400, 520), 245)
    pen = ImageDraw.Draw(page)
    for y in range(20, 500, 14):
        pen.text((20, y), "".join(rng.choice(list("abcdefghij klmnop"), 58)), fill=20)
    return np.asarray(page)


def noise(rng: np.random.Generator) -> Picture:
    return rng.integers(0, 256, (300, 300), dtype=np.uint8)


def bone(rng: np.random.Generator) -> Picture:
    """A shaft with bright edges in soft tissue, as in a film of a leg."""
    y, x = np.mgrid[0 : 1 : 400 * 1j, -1 : 1 : 220 * 1j]
    shaft = 0.3 + 0.1 * np.abs(y - rng.uniform(0.3, 0.7))
    picture = 60 * (np.abs(x) < 0.85) + 90 * (np.abs(x) < shaft) + 70 * np.exp(-(((np.abs(x) - shaft) / 0.05) ** 2))
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 2) + rng.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def slice_of_a_head(rng: np.random.Generator) -> Picture:
    y, x = np.mgrid[-1 : 1 : 256 * 1j, -1 : 1 : 256 * 1j]
    radius = np.hypot(x / 0.75, y / 0.85)
    picture = 90 * (radius < 0.9) + 230 * ((radius > 0.9) & (radius < 1)) - 70 * (np.hypot(x / 0.1, y / 0.3) < 1)
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped weights with a gate that was fitted on synthetic films."""
    folder = tmp_path_factory.mktemp("bundle")
    for name in (WEIGHTS_NAME, SPEC_NAME):
        shutil.copy(DEFAULT_BUNDLE / name, folder)
    n = N_TRAIN + N_VALIDATION
    loaded = LoadedFilms(
        films=tuple(FilmFile(str(i), is_positive=bool(i % 2), patient=str(i), paths=()) for i in range(n)),
        pixels=np.stack([film(i)[..., np.newaxis] for i in range(n)]).astype(np.float32) / 255,
        rows=tuple((i,) for i in range(n)),
        digests=tuple(map(str, range(n))),
        unreadable=(),
    )
    add_gate(folder, loaded, np.arange(N_TRAIN), np.arange(N_TRAIN, n))
    return folder


@pytest.fixture
def scan(bundle: Path, tmp_path: Path) -> Callable[..., list[ScanResult]]:
    """Scan pictures with the fitted gate."""

    def scan_pictures(pictures: list[Picture], **settings: Any) -> list[ScanResult]:
        for i, picture in enumerate(pictures):
            (tmp_path / f"{i:03}.png").write_bytes(encode(np.ascontiguousarray(picture), "PNG"))
        results = scan_chunk(list(find_images([tmp_path])), ScanSettings(**{"model": bundle, **settings}))
        return [result for result in results if isinstance(result, ScanResult)]

    return scan_pictures


@pytest.mark.parametrize(
    ("header", "reasons"),
    [
        ({}, ()),
        ({"modality": "CT"}, ("not-a-radiograph",)),
        ({"modality": "XA"}, ("not-a-radiograph",)),
        ({"modality": ""}, ()),
        ({"body_part": "KNEE"}, ("other-body-part",)),
        ({"body_part": "TORAX AP"}, ()),
        ({"body_part": ""}, ()),
        ({"view_position": "LL", "patient_age_years": None}, ("lateral-view",)),
        ({"view_position": "PA"}, ("other-view",)),
        ({"view_position": ""}, ("view-unknown",)),
        ({"patient_age_years": 18.0}, ("adult",)),
        ({"patient_age_years": 17.9}, ()),
        ({"patient_age_years": None}, ("age-unknown",)),
    ],
)
def test_a_header_gives_reasons(header: dict[str, Any], reasons: tuple[str, ...]) -> None:
    said = {"modality": "DX", "body_part": "CHEST", "view_position": "AP", "patient_age_years": 4.0} | header
    assert judge(radiograph(attributes=FilmAttributes(**said)), TrainedOn()).reasons == reasons


@pytest.mark.parametrize(
    ("header", "reasons"),
    [
        ({"view_position": "PA", "patient_age_years": 60.0}, ()),
        ({"view_position": "", "patient_age_years": None}, ()),
        ({"view_position": "LL"}, ("lateral-view",)),
        ({"view_position": "LLO"}, ("other-view",)),
    ],
)
def test_a_model_of_children_and_adults_knows_both_views_and_every_age(
    header: dict[str, Any], reasons: tuple[str, ...]
) -> None:
    said = {"modality": "DX", "body_part": "CHEST", "view_position": "AP", "patient_age_years": 4.0} | header
    trained_on = TrainedOn(("AP", "PA"), None)
    assert judge(radiograph(attributes=FilmAttributes(**said)), trained_on).reasons == reasons


CHESTS = (
    *("CHEST", "CHEST 1 VIEW", "CHEST PORTABLE", "CHESTABDOMEN", "NECKCHESTABDOMEN", "THORAX", "LUNGS", "TORAKS"),
    *("GOGUS", "AKCIGER PA", "KLATKA PIERSIOWA", "PLUCA", "HRUDNIK", "PLICE", "RTG HRUDNIKU", "TORACE", "PULMONES"),
)
OTHERS = (
    *("ABDOMEN", "HAND", "HANDS", "LEFT KNEE", "C SPINE", "THORACIC SPINE", "TSPINE", "UPPER EXTREMITY", "SKULL_PA"),
    *("HEAD NECK", "ABDOMEN PELVIS", "FOOT 2", "SHOULDER"),
)
UNKNOWN = (
    "UNKNOWN",
    "OTHER",
    "PORTABLE",
    "NONE",
    "BODY",
    "RIB",
    "HEART",
    "BACAK",
    "DLON",
    "KOLENO",
    "TRUNK",
    "1234",
    "XX",
)


@pytest.mark.parametrize(
    ("word", "reasons"),
    [
        *((word, set()) for word in CHESTS),
        *((word, {"other-body-part"}) for word in OTHERS),
        *((word, {"body-part-unknown"}) for word in UNKNOWN),
    ],
)
def test_only_a_part_known_to_be_another_rejects(word: str, reasons: set[str]) -> None:
    (radiograph,) = read_film(dicom_film(film_pixels(), BodyPartExamined=word), ReadOptions())
    assert {reason for reason in judge(radiograph, TrainedOn()).reasons if "body" in reason} == reasons


def radiograph(picture: Picture | None = None, **more: Any) -> Radiograph:
    pixels = (film(0) if picture is None else picture).astype(np.float32) / 255
    return Radiograph(pixels, pixels.shape[1], pixels.shape[0], "png", **more)


def test_a_picture_without_header_is_not_blamed_for_that() -> None:
    assert judge(radiograph(), TrainedOn()).verdict == "ok"


@pytest.mark.parametrize(
    ("chroma", "verdict", "reasons"),
    [(0.01, "ok", ()), (0.05, "warn", ("tinted",)), (0.3, "reject", ("colour-picture",))],
)
def test_a_tint_warns_and_colours_reject(chroma: float, verdict: str, reasons: tuple[str, ...]) -> None:
    decision = judge(radiograph(chroma=chroma), TrainedOn())
    assert (decision.verdict, decision.reasons) == (verdict, reasons)


def test_small_and_blank_pictures_are_told_apart() -> None:
    assert judge(radiograph(film_pixels(0, height=90, width=300)), TrainedOn()).reasons == ("low-resolution",)
    assert judge(radiograph(np.full((300, 300), 80, np.uint8)), TrainedOn()).reasons == ("blank",)


def test_a_rejected_film_has_no_caveats() -> None:
    assert judge(radiograph(attributes=FilmAttributes(modality="MR"), chroma=0.05), TrainedOn()).reasons == (
        "not-a-radiograph",
    )


def test_edges_have_no_sign_but_a_direction() -> None:
    small = film_pixels(3, height=evidence.SMALL_PX, width=evidence.SMALL_PX).astype(np.float32) / 255
    upright, negative, turned = map(evidence.edge_layout, (small, 1 - small, np.rot90(small).copy()))
    assert upright.shape == (evidence.N_EDGES,)
    assert 0.0 <= upright.min() <= upright.max() <= 1.0
    np.testing.assert_allclose(upright, negative, atol=1e-4)
    assert np.linalg.norm(upright - turned) > 0.5 * np.linalg.norm(upright)


def test_layouts_do_not_depend_on_exposure() -> None:
    small = film_pixels(3, height=evidence.SMALL_PX, width=evidence.SMALL_PX).astype(np.float32) / 255
    for layout in (evidence.edge_layout, evidence.grey_layout):
        difference = np.linalg.norm(layout(small) - layout(0.5 * small + 0.3))
        assert difference < 0.12 * np.linalg.norm(layout(small))


@pytest.mark.parametrize("layout", [evidence.edge_layout, evidence.grey_layout])
def test_a_blank_picture_has_finite_layouts(layout: Callable[[npt.NDArray[np.float32]], Any]) -> None:
    assert np.isfinite(layout(np.zeros((evidence.SMALL_PX, evidence.SMALL_PX), np.float32))).all()


def test_the_box_leaves_out_a_uniform_border() -> None:
    small = np.full((evidence.SMALL_PX, evidence.SMALL_PX), 0.2, np.float32)
    small[10:40, 5:50] = np.random.default_rng(0).random((30, 45))
    box = evidence.content_box(small)
    assert box == (slice(10, 40), slice(5, 50))
    assert evidence.border_share(box) == pytest.approx(1 - 30 * 45 / evidence.SMALL_PX**2)
    assert evidence.border_share(evidence.content_box(np.zeros_like(small))) == 0.0


def test_the_eight_positive_turns_differ() -> None:
    corner = np.arange(9, dtype=np.float32).reshape(3, 3)
    assert len({evidence.turned(corner, turn).tobytes() for turn in range(8)}) == 8


def test_heat_at_the_edge_counts_by_its_strength() -> None:
    heat = np.zeros((7, 7), np.float32)
    assert evidence.outer_heat_lead(heat) == 0.0
    heat[3, 3], heat[0, 6] = 1.0, 3.0
    assert evidence.outer_heat_lead(heat) == pytest.approx(2.0)
    assert evidence.outer_heat_lead(0.01 * heat) == pytest.approx(0.02)


def test_new_films_of_the_same_kind_are_scored(scan: Callable[..., list[ScanResult]]) -> None:
    results = scan([film(seed) for seed in range(1000, 1024)])
    assert {result.status for result in results} == {"scored"}
    assert sum(result.gate == "warn" for result in results) <= 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda film: 255 - film, "inverted"),
        (np.rot90, "rotated"),
        (lambda film: np.rot90(film, 2), "rotated"),
        (lambda film: np.rot90(film, 3), "rotated"),
        (lambda film: film[::-1], "rotated"),
        (lambda film: film[:, ::-1], "mirrored"),
        (framed, "large-border"),
        (lambda film: cv2.GaussianBlur(film, (0, 0), 2), "blurred"),
        (lambda film: film // 4, "exposure"),
    ],
)
def test_a_changed_film_is_scored_with_its_reason(
    scan: Callable[..., list[ScanResult]], change: Callable[[Picture], Picture], reason: str
) -> None:
    results = scan([change(film(seed)) for seed in range(1000, 1010)])
    assert [(result.gate, reason in result.gate_reasons) for result in results] == [("warn", True)] * 10
    assert all(result.prob_pneumonia is not None for result in results)


def test_an_inverted_and_turned_film_has_both_reasons(scan: Callable[..., list[ScanResult]]) -> None:
    (result,) = scan([np.rot90(255 - film(1001))])
    assert {"inverted", "rotated"} <= set(result.gate_reasons)


@pytest.mark.parametrize("draw", [page_of_text, noise, bone, slice_of_a_head])
def test_what_shows_no_chest_has_no_score(
    scan: Callable[..., list[ScanResult]], draw: Callable[[np.random.Generator], Picture]
) -> None:
    results = scan([draw(np.random.default_rng(seed)) for seed in range(5)], model=DEFAULT_BUNDLE)
    assert {(result.status, result.gate_reasons) for result in results} == {("rejected", ("not-a-chest-film",))}
    assert {(result.prob_pneumonia, result.heat_map) for result in results} == {(None, None)}
    assert all(result.thumbnail for result in results)


@pytest.mark.parametrize(
    ("anatomy", "edges", "brightness", "reasons"),
    [
        (0.0, 0.0, 0.0, ()),
        (9.0, 0.0, 0.0, ("not-a-chest-film",)),
        (9.0, -9.0, 0.0, ("not-a-chest-film",)),  # a smooth picture has no unusual edges
        (0.0, 9.0, 0.0, ("not-a-chest-film",)),
        (0.0, 0.0, 9.0, ("unlike-training-films",)),
    ],
)
def test_anatomy_and_edges_reject_and_brightness_warns(
    anatomy: float, edges: float, brightness: float, reasons: tuple[str, ...]
) -> None:
    statistics = GateStatistics.from_document(read_document(DEFAULT_BUNDLE)["gate"])
    look = Look((), None, anatomy=np.float32([anatomy]), edges=edges, brightness=brightness)
    decision = judge_answer((), look, statistics.feature_mean, np.zeros((7, 7), np.float32), statistics)
    assert decision.reasons == reasons


def test_a_bundle_that_knows_no_limit_of_all_three_together_judges_by_the_other(tmp_path: Path) -> None:
    older = Path(shutil.copytree(DEFAULT_BUNDLE, tmp_path / "older"))
    document = read_document(DEFAULT_BUNDLE)
    limit = document["gate"]["limits"].pop("misfit_with_edges")
    (older / SPEC_NAME).write_text(json.dumps(document))
    load_bundle(older)
    newer = GateStatistics.from_document(read_document(DEFAULT_BUNDLE)["gate"])
    statistics = GateStatistics.from_document(document["gate"])
    strange = Look((), None, anatomy=np.float32([-1.0]), brightness=-9.0, edges=limit + 99.0)
    said = [judge_answer((), strange, each.feature_mean**2, np.zeros((7, 7)), each) for each in (newer, statistics)]
    assert ["not-a-chest-film" in each.reasons for each in said] == [True, False]


def test_gate_warn_scores_what_strict_rejects(scan: Callable[..., list[ScanResult]]) -> None:
    page, blank = page_of_text(np.random.default_rng(0)), np.full((300, 300), 80, np.uint8)
    results = scan([page, blank], gate="warn")
    assert [(result.status, result.gate) for result in results] == [("scored", "warn")] * 2
    assert results[0].gate_reasons == ("not-a-chest-film",)
    assert "blank" in results[1].gate_reasons
    assert all(result.prob_pneumonia is not None for result in results)


def test_gate_off_judges_nothing(scan: Callable[..., list[ScanResult]]) -> None:
    (result,) = scan([page_of_text(np.random.default_rng(0))], gate="off")
    assert (result.status, result.gate, result.gate_reasons) == ("scored", "ok", ())


def test_a_film_is_judged_the_same_alone_and_beside_films_that_need_turning(
    scan: Callable[..., list[ScanResult]],
) -> None:
    pictures = [np.rot90(film(1000)), film(1001), framed(film(1002)), noise(np.random.default_rng(0)), film(1003)]
    together = scan(pictures)
    for picture, result in zip(pictures, together, strict=True):
        alone = scan([picture])[0]
        assert (alone.gate, alone.gate_reasons) == (result.gate, result.gate_reasons)
        assert alone.prob_pneumonia == pytest.approx(result.prob_pneumonia, abs=1e-5)


def test_header_and_picture_reasons_come_together(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(dicom_film(255 - film(1000), ViewPosition="LLO", PatientAge="045Y"))
    (result,) = scan_chunk(list(find_images([tmp_path])), ScanSettings(model=bundle))
    assert isinstance(result, ScanResult)
    assert {"other-view", "inverted"} <= set(result.gate_reasons) <= GATE_REASONS.keys()


def test_statistics_survive_the_document(bundle: Path) -> None:
    document = read_document(bundle)["gate"]
    assert GateStatistics.from_document(document).to_document() == document


def test_a_bundle_of_one_classifier_judges_by_it(bundle: Path) -> None:
    newer = GateStatistics.from_document(read_document(bundle)["gate"])
    assert newer.embedding_weights is not None
    document = json.loads((bundle / SPEC_NAME).read_text())["gate"]
    document["arrays"]["anatomy_weights"] = pack(newer.anatomy_weights[1])
    document["arrays"]["embedding_weights"] = pack(newer.embedding_weights[1])
    older = GateStatistics.from_document(document)
    picture = film_pixels(3, height=224, width=224).astype(np.float32) / 255
    seen = [gate.look_at(picture).anatomy for gate in (newer, older)]
    assert seen[1] == pytest.approx(seen[0][1:2])
    distances = [gate.look_deeper(gate.look_at(picture), gate.feature_mean**2) for gate in (newer, older)]
    assert distances[1].misfit <= distances[0].misfit + 1e-5, "the one that says most decides"


@pytest.mark.parametrize(
    "damage",
    [
        lambda arrays: arrays["embedding_weights"].update(pack(np.ones((2, 5)))),
        lambda arrays: arrays["grey_mean"].update(float16="AAAA"),
        lambda arrays: arrays["edge_mean"].update(float16="not base64!"),
        lambda arrays: arrays["grey_mean"].update(shape=[196]),
        lambda arrays: arrays.update(feature_mean=arrays["edge_mean"]),
    ],
)
def test_damaged_statistics_are_refused(bundle: Path, damage: Callable[[dict[str, Any]], None]) -> None:
    document = json.loads((bundle / SPEC_NAME).read_text())["gate"]
    damage(document["arrays"])
    with pytest.raises(BundleError) as caught:
        GateStatistics.from_document(document)
    assert caught.value.code == "bundle-invalid"


def test_the_shipped_gate_scores_the_demo_and_rejects_its_drawing(tmp_path: Path) -> None:
    draw_demo_folder(tmp_path / "films")
    results = scan_chunk(list(find_images([tmp_path / "films"])), ScanSettings())
    status = {result.name: result.status for result in results if isinstance(result, ScanResult)}
    assert {name for name, state in status.items() if state != "scored"} == {"OTHER/cut-short.jpg", "OTHER/drawing.png"}
    assert status["OTHER/drawing.png"] == "rejected"


@pytest.mark.parametrize("angle_deg", [LATERAL_DEG, -LATERAL_DEG])
def test_the_shipped_gate_rejects_lateral_films_without_a_header(tmp_path: Path, angle_deg: float) -> None:
    verdicts = verdicts_on_bodies(tmp_path, angle_deg)
    assert verdicts.count("reject") >= 5
    assert "ok" not in verdicts


def test_the_shipped_gate_scores_frontal_films_of_the_same_bodies(tmp_path: Path) -> None:
    assert verdicts_on_bodies(tmp_path, FRONTAL_DEG).count("reject") <= 1


def verdicts_on_bodies(folder: Path, angle_deg: float) -> list[str | None]:
    """What the shipped gate says of films of six drawn bodies."""
    for seed in range(6):
        film = draw_film(np.random.default_rng(seed), angle_deg)
        (folder / f"{seed}.png").write_bytes(encode((film * 255).astype(np.uint8), "PNG"))
    results = scan_chunk(list(find_images([folder])), ScanSettings())
    verdicts = [result.gate for result in results if isinstance(result, ScanResult)]
    assert len(verdicts) == 6
    return verdicts


def test_the_shipped_description_stays_small() -> None:
    assert (DEFAULT_BUNDLE / SPEC_NAME).stat().st_size < 400_000
