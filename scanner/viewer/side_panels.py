"""The side of the page: threshold, model card, the filters of a run, and the reader's verdict."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st

from cxrscan.reports.page.points import offered_points
from cxrscan.reports.page.view import model_card
from cxrscan.reports.wording import OUTCOMES, VERDICTS
from cxrscan.scanner.decision import prediction
from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.records import Film
from cxrscan.scanner.run_record import Run
from cxrscan.scanner.system.text import count
from cxrscan.scanner.viewer import answer
from cxrscan.scanner.viewer.finished_run import FinishedRun
from cxrscan.scanner.viewer.selection import NEED_LABELS, ORDERS, Choice, choose
from cxrscan.scanner.viewer.verdicts import Verdict

_OWN = "custom"


def choose_threshold(run: Run, wanted: str | None) -> Run:
    """Let the reader choose the threshold; it starts at the wanted one, else at the run's.

    Raises
    ------
    BundleError
        ``unknown-operating-point``.
    """
    start_name, start = run.model.threshold(wanted) if wanted else (run.info.threshold_name, run.info.threshold)
    point_used = replace(run, info=replace(run.info, threshold=start, threshold_name=start_name))
    points = {point.name: point for point in offered_points(point_used)}
    names = [*points, _OWN]

    def words(name: str) -> str:
        return f"{points[name].text} ({points[name].purpose})" if name in points else "another"

    name = st.selectbox("Threshold", names, names.index(start_name), format_func=words, key="threshold name")
    if name == _OWN:
        value = st.slider("Own threshold", 0.0, 1.0, start, 0.01, key="threshold")
    else:
        value = points[name].threshold
        st.caption(answer.plain_markdown(f"{points[name].rule} ({points[name].does})."))
    return replace(run, info=replace(run.info, threshold=value, threshold_name=name))


def offer_model_card(run: Run) -> None:
    """Open the model card on a click."""
    if st.button("Model card"):
        _show_model_card(run)


@st.dialog("Model card", width="large")
def _show_model_card(run: Run) -> None:
    card = model_card(run)
    st.html(answer.model_card_html(card))


def choose_films(finished: FinishedRun, run: Run) -> list[Film]:
    """Let the reader filter and order the films of a run; worst errors come first when there are labels."""

    def to_first() -> None:
        st.session_state["page"] = 1
        st.session_state.pop("ordered at", None)

    # Another threshold changes calls, not the order: the film in front stays in front.
    ordered_at = st.session_state.setdefault("ordered at", run.info.threshold)

    orders = [order for order in ORDERS if order != "errors" or finished.labelled]
    order = st.selectbox("Order", orders, format_func=ORDERS.__getitem__, key="order", on_change=to_first)
    query = st.text_input("Search", placeholder="path, reason, view", key="search", on_change=to_first)
    outcomes = st.pills(
        "Show",
        [
            outcome
            for outcome in OUTCOMES
            if (finished.labelled or outcome not in NEED_LABELS) and (run.info.refer or outcome != "referred")
        ],
        selection_mode="multi",
        format_func=lambda outcome: OUTCOMES[outcome].title,
        key="show",
        on_change=to_first,
    )
    low, high = st.slider("Probability", 0.0, 1.0, (0.0, 1.0), 0.01, key="probability range", on_change=to_first)
    choice = Choice(order, query, frozenset(outcomes), low, high)
    chosen = choose(finished.films, choice, finished.verdicts, run, ordered_at)
    st.caption(f"{len(chosen):,} of {count(len(finished.films), 'film')}")
    return chosen


def take_verdict(finished: FinishedRun, film: Film, run: Run, *, blind: bool) -> None:
    """Take the reader's verdict on the film in front and write it down at once.

    Parameters
    ----------
    blind
        Whether call, label and heat map are hidden.

    Raises
    ------
    RunFolderError
        As ``FinishedRun.judge`` does.
    """
    name = film.result.name
    known = finished.verdicts.get(name, Verdict())

    def note() -> None:
        st.session_state["judged"] = name

    st.html('<p class="cxr-question">You read</p>')
    pressed = [key for key in VERDICTS if _offer_verdict(key, chosen=key == known.verdict)]
    verdict = known.verdict
    if pressed:
        verdict = "" if pressed[0] == known.verdict else pressed[0]
        note()
    comment = st.text_input("Comment", known.comment, key=f"comment {name}", on_change=note)
    reader = finished.reader or ask_reader(finished, known)
    if st.session_state.pop("judged", None) == name:
        given = Verdict(verdict, comment, reader, blind=blind if verdict != known.verdict else known.blind)
        try:
            finished.judge(film, given, run)
        except RunFolderError:
            st.session_state.pop(f"comment {name}", None)  # the page is to show what is kept
            raise
        if pressed:
            st.rerun()  # the buttons show it, and what was hidden stands above
    if not blind:
        note_given(known, film, run)
    st.caption(f"Kept in {answer.plain_markdown(str(finished.verdicts_path))}, which the report can import.")


def ask_reader(finished: FinishedRun, known: Verdict) -> str:
    """Who reads; at first whoever gave the latest verdict."""
    last = max(finished.verdicts.values(), key=lambda verdict: verdict.reviewed_at, default=known)
    return str(st.text_input("Reader", last.reader, key="reader", persist_state="session"))


def _offer_verdict(key: str, *, chosen: bool) -> bool:
    """A button for one verdict, with the key of the report; whether it was pressed."""
    kind: Literal["primary", "secondary"] = "primary" if chosen else "secondary"
    return st.button(VERDICTS[key], key=f"read {key}", shortcut=key[0], type=kind, width="stretch")


def note_given(known: Verdict, film: Film, run: Run) -> None:
    """Say what a verdict was given on where the page says something else now."""
    called = prediction(film.result, run.info.threshold, run.info.refer) or ""
    if known.called and (known.called, known.model) != (called, run.model.label):
        by = f" by {known.model}" if known.model != run.model.label else ""
        text = f"Read{' blind' if known.blind else ''} when the call was {known.called}{by}, "
        st.caption(answer.plain_markdown(f"{text}at the threshold {known.threshold}."))
