"""The middle of the page: what was found on the film in front, the film itself, and what can be taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePath
from typing import Literal

import streamlit as st

from cxrscan.reports.tables.columns import regions_of
from cxrscan.reports.wording import significant
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import HINTS
from cxrscan.scanner.records import Film, HeatMap, Radiograph
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.viewer import answer, pictures


def show_film(
    key: str,
    film: Film,
    load: Callable[[], tuple[Radiograph | None, str]],
    run: Run,
    *,
    hidden: bool = False,
    beside: Callable[[], None] | None = None,
) -> Radiograph | None:
    """Show a film, and beside it the gate's verdict and the prediction, so that one screen holds all of it.

    Parameters
    ----------
    key
        Identifies the film in this session.
    load
        Reads the film for display, after the answer is on the page: the film, or None without a picture, and a
        sentence on its quality.
    hidden
        Show the film alone: what was found is not to be known yet.
    beside
        Draws what else stands beside the film.

    Returns
    -------
    What ``load`` gave; None for a file that could not be read.
    """
    failure = film.result.failure
    if failure is not None:
        tell_problem(failure.code, failure.message)
        if not hidden:
            offer_row(film, run)
        if beside is not None:
            beside()
        return None
    middle, side = st.columns([5, 3] if hidden else [5, 2], gap="medium")
    with side:
        if not hidden:
            _show_answer(film, run)
        if beside is not None:
            beside()
    if hidden:
        film = replace(film, result=replace(film.result, heat_map=None), truth=None)
    with middle:
        picture, note = _load_once(key, load)
        if note:
            st.caption(note)
        if picture is None and not hidden:
            offer_row(film, run)
        if picture is not None:
            show_pictures(key, film, picture, run, hidden=hidden)
    return picture


def tell_problem(code: str, message: str) -> None:
    """Say what is wrong and what to do about it."""
    st.error(f"{answer.plain_markdown(message)} `[{code}]`\n\n{answer.plain_markdown(HINTS[code])}")


def _show_answer(film: Film, run: Run) -> None:
    gate = answer.gate_answer(film.result)
    if gate.level == "success":
        st.caption(f":material/check: {gate.title}")
    else:
        say = st.error if gate.level == "error" else st.warning
        say(f"**{gate.title}** {answer.plain_markdown(' '.join(gate.sentences))}")
    prob = film.result.prob_pneumonia
    if prob is None:
        return
    st.html(answer.call_html(film, run.info))
    st.html(answer.bar_html(prob, run))
    where = answer.regions_html(film, run)
    if where:
        st.html(where)
    with st.expander("How sure is this number?"):
        st.markdown("\n".join(f"- {sentence}" for sentence in answer.certainty(prob, run, film.result.population)))


def _load_once(key: str, load: Callable[[], tuple[Radiograph | None, str]]) -> tuple[Radiograph | None, str]:
    """Keep the film in front decoded, and only that: a large one takes 50 MB."""
    if st.session_state.get("picture of") != key:
        forget_picture()
        st.session_state["picture"] = load()
        st.session_state["picture of"] = key
    picture: tuple[Radiograph | None, str] = st.session_state["picture"]
    return picture


def forget_picture() -> None:
    """Let go of the decoded film."""
    for name in ("picture", "picture of"):
        st.session_state.pop(name, None)


@st.fragment
def show_pictures(key: str, film: Film, picture: Radiograph, run: Run, *, hidden: bool = False) -> None:
    """Film and heat map side by side with their controls, which run nothing but this function again."""
    heat_map, style = film.result.heat_map, st.session_state.get("heat", "colour")
    shows_heat = heat_map is not None and style != "off"
    left, right = st.columns(2) if shows_heat else (st.container(width=620), None)
    look = _take_look(key, heat_map, has_regions=not hidden and bool(regions_of(film, run)))
    grey = pictures.render_film(picture.pixels, look.view, (look.window[0] / 100, look.window[1] / 100))
    if look.inverted:
        grey = 255 - grey
    regions = () if hidden else regions_of(film, run)
    outlined = grey
    if regions and look.outlined:
        size_px = (film.result.width_px or 0, film.result.height_px or 0)
        outlined = pictures.draw_outlines(grey, regions, size_px, look.view)
    left.image(pictures.data_url(outlined), width="stretch", alt="Film")
    left.html('<div class="cxr-legend"><span>Film</span></div>')
    panes, scale = [outlined], run.model.heat_scale
    if right is not None and heat_map is not None:
        heated = (
            pictures.render_contour(grey, heat_map, scale, look.view)
            if style == "contour"
            else pictures.render_overlay(grey, heat_map, scale, look.view, look.opacity / 100)
        )
        right.image(pictures.data_url(heated), width="stretch", alt="Film with heat map")
        right.html(answer.legend_html(heat_map, scale, style))
        panes.append(heated)
    if hidden:
        return
    heading, footing = answer.result_lines(film, run)
    if look.view.zoom > 1 or look.window != (0, 100):
        window = f"window {look.window[0]} to {look.window[1]} % of the film's range"
        footing.append(f"Shown at zoom {look.view.zoom:g} x, {window}")
    scale_text = f"{significant(scale, 3)} logit units" if len(panes) > 1 else ""
    with st.container(horizontal=True):
        st.download_button(
            "Annotated picture (PNG)",
            partial(pictures.annotated_png, panes, heading, [*footing, NOTICE], scale_text, contour=style == "contour"),
            f"{PurePath(film.result.name).stem}-cxrscan.png",
            "image/png",
            on_click="ignore",
        )
        offer_row(film, run)


@dataclass(frozen=True, slots=True)
class _Look:
    """How a film is looked at."""

    view: pictures.Viewport
    window: tuple[int, int]
    """Percent of the film's range."""
    inverted: bool
    opacity: int
    """Of the heat map's colours, in percent."""
    outlined: bool
    """Whether the regions are outlined."""


_KINDS: dict[bool, Literal["primary", "secondary"]] = {True: "primary", False: "secondary"}


def _take_look(key: str, heat_map: HeatMap | None, *, has_regions: bool) -> _Look:
    """Lay out the controls below the pictures; keys are those of the report."""
    sliders = st.columns([3, 2, 3], gap="medium")
    window = sliders[0].slider("Window, % of the film's range", 0, 100, (0, 100), key=f"window {key}")
    zoom = sliders[1].slider("Zoom", 1.0, 8.0, 1.0, 0.5, format="%.1f x", key=f"zoom {key}")
    style, opacity = st.session_state.get("heat", "colour"), 60
    if heat_map is not None and style == "colour":
        opacity = sliders[2].slider("Heat map, % opacity", 0, 100, 60, 5, key="opacity", persist_state="session")
    view = pictures.Viewport(zoom)
    if zoom > 1:
        across, down = st.columns(2, gap="medium")
        view = pictures.Viewport(
            zoom,
            across.slider("Left to right, %", 0, 100, 50, key=f"across {key}") / 100,
            down.slider("Top to bottom, %", 0, 100, 50, key=f"down {key}") / 100,
        )
    inverted = bool(st.session_state.get(f"inverted {key}"))
    outlined = bool(st.session_state.get("outlined", True))

    def turn_heat() -> None:
        styles = list(answer.HEAT_STYLES)
        st.session_state["heat"] = styles[(styles.index(style) + 1) % len(styles)]

    def invert() -> None:
        st.session_state[f"inverted {key}"] = not inverted

    def outline() -> None:
        st.session_state["outlined"] = not outlined

    def reset() -> None:
        for name in (
            "heat",
            "outlined",
            *(f"{part} {key}" for part in ("inverted", "window", "zoom", "across", "down")),
        ):
            st.session_state.pop(name, None)

    with st.container(horizontal=True):
        if heat_map is not None:
            st.button(f"Heat map: {answer.HEAT_STYLES[style]}", key="turn heat", shortcut="h", on_click=turn_heat)
        if has_regions:
            st.button("Outline", key="outline", shortcut="o", type=_KINDS[outlined], on_click=outline)
        st.button("Invert", key="invert", shortcut="i", type=_KINDS[inverted], on_click=invert)
        st.button("Reset", key="reset", shortcut="0", on_click=reset)
    return _Look(view, window, inverted, opacity, outlined)


def offer_row(film: Film, run: Run) -> None:
    """Offer the film's row of ``results.csv``."""
    st.download_button(
        "Result (CSV)",
        answer.row_csv(film, run),
        f"{PurePath(film.result.name).stem}-cxrscan.csv",
        "text/csv",
        on_click="ignore",
    )


def show_details(key: str, film: Film, picture: Radiograph | None, run: Run) -> None:
    """List what is known of the file and, on request only, the identifiers of its DICOM header."""
    is_dicom = film.result.kind == "dicom"
    with st.expander("File and DICOM header" if is_dicom else "File"):
        file, header = st.columns(2, gap="medium")
        file.html(answer.table_html(answer.file_rows(film, run), "File"))
        if not is_dicom:
            return
        header.html(answer.table_html(answer.header_rows(film, run), "DICOM header"))
        ids = picture.attributes.ids if picture is not None else ()
        if ids and header.toggle("Show identifiers", key=f"identifiers {key}"):
            header.html(answer.table_html(answer.id_rows(ids), "Identifiers"))
