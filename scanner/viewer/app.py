"""The single-image viewer: lays the page out; the modules beside it make what it shows.

Streamlit runs this script from top to bottom at every change of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from cxrscan.reports.page.html_file import TEMPLATES
from cxrscan.scanner import NOTICE
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.readers import TITLES
from cxrscan.scanner.records import Film, ImageSource, Radiograph, ScanResult, Skip
from cxrscan.scanner.system.text import count
from cxrscan.scanner.viewer import answer, opening
from cxrscan.scanner.viewer.decoding import film_source, read_full_size, scan
from cxrscan.scanner.viewer.film_panel import forget_picture, show_details, show_film, tell_problem
from cxrscan.scanner.viewer.finished_run import FinishedRun, film_picture, open_run
from cxrscan.scanner.viewer.side_panels import choose_films, choose_threshold, offer_model_card, take_verdict
from cxrscan.scanner.viewer.verdicts import Verdict
from cxrscan.scanner.worker import open_model

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

Outcomes = dict[str, ScanResult | Skip]
"""Key of a film in this session -> what the scanner said."""


def main() -> None:
    """Lay the page out."""
    st.set_page_config("cxrscan viewer", TEMPLATES / "viewer_icon.svg", layout="wide")
    st.html(TEMPLATES / "viewer.css")
    st.bottom.html(f'<p class="cxr-notice">{NOTICE}</p>')
    start = opening.current
    try:
        if start.run is None:
            look_at_films(start)
        else:
            opened = st.cache_resource(show_spinner="Opening the run")(open_run)
            finished = opened(start.run, start.reader, start.queue)
            (read_in_order if finished.reading_list else page_through)(finished, start)
    except CxrscanError as error:
        tell_problem(error.code, error.message)


def look_at_films(start: opening.Opening) -> None:
    """Show the film that the command was given and those that are uploaded."""
    model, _ = open_model(start.settings)
    is_empty = start.film is None and not st.session_state.get("uploads")
    with st.container(width=680) if is_empty else st.sidebar:
        st.html('<h1 class="cxr-brand">cxrscan viewer</h1>')
        uploads = st.file_uploader(
            f"Open films or drop them here: {TITLES}",
            accept_multiple_files=True,
            key="uploads",
            help="The content counts, not the name. Films stay in the memory of this computer, and only until you "
            "remove them or close the page.",
        )
        listing = st.container()
        run = choose_threshold(opening.session_run(model), start.threshold)
        offer_model_card(run)
        if is_empty:
            st.caption(answer.plain_markdown(" ".join((model.intended_use, *model.limits))))
    films = {"start": start.film} if start.film else {}
    films |= {upload.file_id: film_source(upload.name, upload.getvalue()) for upload in uploads}
    outcomes = scan_new(films, start)
    if not films:
        return
    key = choose_upload(outcomes, listing, run.info.threshold)
    outcome, source = outcomes[key], films[key]
    if isinstance(outcome, Skip):
        tell_problem(outcome.code, outcome.reason)
    else:
        film = Film(outcome)
        picture = show_film(key, film, lambda: (full_size(source, start), ""), run)
        show_details(key, film, picture, run)


def full_size(film: ImageSource, start: opening.Opening) -> Radiograph:
    """The film for display."""
    return read_full_size(film.data or b"", start.settings, start.limits, window=start.settings.window)


def scan_new(films: dict[str, ImageSource], start: opening.Opening) -> Outcomes:
    """Scan what has not been scanned in this session, turn to it, and forget what was removed."""
    known: Outcomes = st.session_state.get("outcomes", {})
    new = [key for key in films if key not in known]
    if new:
        with st.spinner("Reading"):
            known |= dict(zip(new, scan([films[key] for key in new], start.settings, start.limits), strict=True))
        st.session_state["page"] = list(films).index(new[0]) + 1
    st.session_state["outcomes"] = {key: known[key] for key in films}
    if st.session_state.get("picture of") not in films:
        forget_picture()
    return {key: known[key] for key in films}


def choose_upload(outcomes: Outcomes, listing: DeltaGenerator, threshold: float) -> str:
    """Page through the films or pick one from the list; its key."""
    keys = list(outcomes)

    def turn_to_listed() -> None:
        st.session_state["page"] = keys.index(st.session_state["listed"]) + 1

    key = keys[turn_page([outcome.name for outcome in outcomes.values()])]
    if len(keys) > 1:
        st.session_state["listed"] = key
        listing.radio(
            "Films",
            keys,
            format_func=lambda key: answer.plain_markdown(outcomes[key].name),
            captions=[answer.in_short(outcome, threshold) for outcome in outcomes.values()],
            key="listed",
            on_change=turn_to_listed,
        )
    return key


def turn_page(names: Sequence[str]) -> int:
    """Head the page with the film in front and a pager; its position."""
    page: int = min(max(1, st.session_state.get("page", 1)), len(names))
    st.session_state["page"] = page

    def turn(by: int) -> None:
        st.session_state["page"] = page + by

    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.html(answer.heading_html(names[page - 1]))
        if len(names) > 1:
            st.button("Previous", key="previous", shortcut="Left", disabled=page == 1, on_click=turn, args=(-1,))
            st.number_input(f"Film (of {len(names):,})", 1, len(names), key="page", width=130)
            st.button("Next", key="next", shortcut="Right", disabled=page == len(names), on_click=turn, args=(1,))
    return page - 1


def page_through(finished: FinishedRun, start: opening.Opening) -> None:
    """Show the films of a finished run, those that the reader chose, one by one."""
    with st.sidebar:
        st.html('<h1 class="cxr-brand">cxrscan viewer</h1>')
        st.caption(f"Run {answer.plain_markdown(finished.folder.name)}, {count(len(finished.films), 'film')}")
        run = choose_threshold(finished.run, start.threshold)
        chosen = choose_films(finished, run)
        blind = st.toggle(
            "Blind reading",
            key="blind",
            help="Call, label, name and heat map of a film are hidden until you have read it.",
        )
        offer_model_card(run)
    if not chosen:
        st.info("No film of this run fits the filters.")
        return
    read = {name for name, verdict in finished.verdicts.items() if verdict.verdict}
    names = [film.result.name for film in chosen]
    if "page" not in st.session_state and start.first in names:
        st.session_state["page"] = names.index(start.first) + 1
    film = chosen[turn_page([name if not blind or name in read else "Blind reading" for name in names])]
    hidden = blind and film.result.name not in read
    picture = show_film(
        film.result.name,
        film,
        lambda: film_picture(finished, film, start.limits),
        run,
        hidden=hidden,
        beside=lambda: take_verdict(finished, film, run, blind=hidden),
    )
    if not hidden:
        show_details(film.result.name, film, picture, run)


def read_in_order(finished: FinishedRun, start: opening.Opening) -> None:
    """Show the films of a reading list one by one; nothing that the scanner found of them is told, even afterwards."""
    listed = finished.reading_list
    is_read = [bool(finished.verdicts.get(film.result.name, Verdict()).verdict) for film in listed]
    if "page" not in st.session_state:
        st.session_state["page"] = is_read.index(False) + 1 if False in is_read else 1
    with st.sidebar:
        st.html('<h1 class="cxr-brand">cxrscan viewer</h1>')
        st.caption(f"Reading list of run {answer.plain_markdown(finished.folder.name)}")
        st.progress(sum(is_read) / len(listed), f"{sum(is_read):,} of {count(len(listed), 'film')} read")
        if all(is_read):
            st.success("All films of the list are read.")
        else:
            left = [i for i, done in enumerate(is_read, 1) if not done]

            def to_next() -> None:
                page = st.session_state["page"]
                st.session_state["page"] = next((i for i in left if i > page), left[0])

            st.button("Next unread film", key="next unread", on_click=to_next, width="stretch")
    film = listed[turn_page(["Blind reading"] * len(listed))]
    show_film(
        film.result.name,
        film,
        lambda: film_picture(finished, film, start.limits),
        finished.run,
        hidden=True,
        beside=lambda: take_verdict(finished, film, finished.run, blind=True),
    )


main()
