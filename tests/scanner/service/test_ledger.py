"""The list of things to do: order, restarts, and what is sent when."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cxrscan.scanner.errors import RunFolderError
from cxrscan.scanner.service.ledger import Arrival, Ledger, State


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger(tmp_path)
    yield opened
    opened.close()


def film(name: str, study: str = "one", urgency: int = 1, size_bytes: int = 10) -> Arrival:
    return Arrival(name, size_bytes, 5, study, urgency)


def names(films: list[Arrival]) -> list[str]:
    return [each.name for each in films]


def test_the_most_urgent_films_come_first_then_the_oldest(ledger: Ledger) -> None:
    for at_s, (name, urgency) in enumerate([("a", 1), ("b", 3), ("c", 0), ("d", 1), ("e", 3)]):
        ledger.arrive(film(name, urgency=urgency), at_s)
    assert names(ledger.take(2, 10.0)) == ["b", "e"]
    assert names(ledger.take(9, 10.0)) == ["a", "d", "c"]
    assert ledger.take(9, 10.0) == []


def test_the_same_state_of_a_file_arrives_once(ledger: Ledger) -> None:
    assert ledger.arrive(film("a"), 0.0)
    assert not ledger.arrive(film("a"), 1.0)
    assert ledger.arrive(film("a", size_bytes=11), 2.0)
    assert len(ledger.take(9, 3.0)) == 1


def test_what_was_being_scanned_waits_again_after_a_restart(tmp_path: Path) -> None:
    before = Ledger(tmp_path)
    for name in "ab":
        before.arrive(film(name), 0.0)
    before.take(2, 1.0)
    before.scanned("a", 0.5)
    before.close()
    after = Ledger(tmp_path)
    assert names(after.take(9, 1.0)) == ["b"]
    assert after.quiet_study(100.0, 30.0) == ""  # b is still to come
    after.scanned("b", 0.1)
    assert after.quiet_study(100.0, 30.0) == "one"
    after.close()


def test_a_study_is_quiet_when_nothing_waits_and_nothing_has_come_for_a_while(ledger: Ledger) -> None:
    for name, at_s in (("a", 0.0), ("b", 20.0)):
        ledger.arrive(film(name), at_s)
        ledger.take(1, at_s)
        ledger.scanned(name, 0.5)
    assert ledger.quiet_study(49.0, 30.0) == ""
    assert ledger.quiet_study(50.0, 30.0) == "one"
    assert names(ledger.to_answer("one")) == ["a", "b"]
    ledger.arrive(film("c"), 51.0)
    assert ledger.quiet_study(99.0, 30.0) == ""


def test_studies_come_by_urgency_then_by_the_most_probable_pneumonia(ledger: Ledger) -> None:
    said = [("a", "calm", 1, 0.1), ("b", "ill", 1, 0.9), ("c", "stat", 3, 0.2), ("d", "low", 0, 0.99)]
    for name, study, urgency, _ in said:
        ledger.arrive(film(name, study, urgency), 0.0)
    ledger.take(9, 0.0)
    for name, _, _, prob in said:
        ledger.scanned(name, prob)
    order = []
    while study := ledger.quiet_study(99.0, 30.0):
        order.append(study)
        ledger.done(names(ledger.to_answer(study)))
    assert order == ["stat", "ill", "calm", "low"]


def test_results_wait_until_they_are_taken_and_what_was_sent_is_not_sent_again(ledger: Ledger) -> None:
    ledger.arrive(film("a"), 0.0)
    ledger.take(1, 0.0)
    ledger.scanned("a", 0.5)
    ledger.answered("a", [Path("/r/1.dcm"), Path("/r/2.dcm")], is_to_be_sent=True)
    assert [parcel.path.name for parcel in ledger.due(1.0, 9)] == ["1.dcm", "2.dcm"]
    ledger.sent(Path("/r/1.dcm"))
    ledger.postpone(Path("/r/2.dcm"), "no answer", 60.0)
    assert ledger.due(59.0, 9) == []
    assert [(parcel.path.name, parcel.n_tries) for parcel in ledger.due(60.0, 9)] == [("2.dcm", 1)]
    queues = ledger.queues()
    assert (queues.n_to_send, queues.n_failing) == (1, 1)
    ledger.answered("a", [Path("/r/1.dcm"), Path("/r/2.dcm")], is_to_be_sent=True)
    assert [parcel.path.name for parcel in ledger.due(60.0, 9)] == ["2.dcm"]


def test_old_films_are_let_go_only_when_their_results_are_sent(ledger: Ledger) -> None:
    for name in "ab":
        ledger.arrive(film(name), 0.0)
        ledger.take(1, 0.0)
        ledger.scanned(name, 0.5)
        ledger.answered(name, [Path(f"/r/{name}.dcm")], is_to_be_sent=True)
    ledger.sent(Path("/r/a.dcm"))
    assert ledger.expired(10.0, 10.0, 9) == ["a"]
    ledger.keep_until(["a"], 20.0)
    assert ledger.expired(10.0, 19.0, 9) == []
    assert ledger.expired(10.0, 20.0, 9) == ["a"]
    assert ledger.forget(["a"], is_gone=False) == [Path("/r/a.dcm")]
    assert ledger.knows("a", 10, 5)  # its file is still there, and is not scanned again
    ledger.scan_all_again()
    assert names(ledger.take(9, 10.0)) == ["b"]
    assert ledger.arrive(film("a"), 11.0)  # unless somebody sends it once more
    assert names(ledger.take(9, 11.0)) == ["a"]
    ledger.forget(["a"], is_gone=True)
    assert not ledger.knows("a", 10, 5)


def test_films_whose_result_was_lost_wait_again_and_what_is_no_film_does_not(ledger: Ledger) -> None:
    for name in ("kept", "lost", "report"):
        ledger.arrive(film(name), 0.0)
    ledger.take(9, 0.0)
    ledger.arrive(film("waiting"), 0.0)
    for name in ("kept", "lost"):
        ledger.scanned(name, 0.5)
    ledger.done(["report"], State.NO_FILM)
    ledger.scan_missing(["kept", "kept#2"])
    assert sorted(names(ledger.take(9, 1.0))) == ["lost", "waiting"]


def test_films_to_be_scanned_again_come_after_new_ones(ledger: Ledger) -> None:
    ledger.arrive(film("old"), 0.0)
    ledger.take(1, 0.0)
    ledger.scanned("old", 0.5)
    ledger.arrive(film("urgent", urgency=3), 1.0)
    ledger.scan_all_again()
    ledger.arrive(film("new", urgency=0), 9.0)
    assert names(ledger.take(9, 10.0)) == ["urgent", "new", "old"]


@pytest.mark.parametrize("what", ["scanned", "no film", "to be tried again"])
def test_a_film_that_changes_while_it_is_scanned_is_scanned_again(ledger: Ledger, what: str) -> None:
    ledger.arrive(film("a"), 0.0)
    ledger.take(1, 0.0)
    ledger.arrive(film("a", size_bytes=11), 1.0)
    if what == "scanned":
        ledger.scanned("a", 0.5)
    elif what == "no film":
        ledger.done(["a"], State.NO_FILM)
    else:
        ledger.again("a", State.WAITING, 60.0)
    assert [each.size_bytes for each in ledger.take(9, 2.0)] == [11]


@pytest.mark.parametrize("is_changed", [False, True])
def test_a_film_that_changes_while_it_is_answered_is_scanned_again(ledger: Ledger, is_changed: bool) -> None:
    ledger.arrive(film("a"), 0.0)
    ledger.take(1, 0.0)
    ledger.scanned("a", 0.5)
    if is_changed:
        ledger.arrive(film("a", size_bytes=11), 1.0)
    ledger.answered("a", [Path("/r/1.dcm")], is_to_be_sent=True)
    assert [parcel.path.name for parcel in ledger.due(1.0, 9)] == ["1.dcm"]
    assert len(ledger.take(9, 2.0)) == is_changed


def test_a_film_that_is_tried_again_waits_its_time(ledger: Ledger) -> None:
    ledger.arrive(film("a"), 0.0)
    ledger.take(1, 0.0)
    assert ledger.again("a", State.WAITING, 60.0) == 1
    assert ledger.n_ready(59.0, 9) == 0
    assert names(ledger.take(1, 60.0)) == ["a"]
    assert ledger.again("a", State.WAITING, 120.0) == 2


def test_a_ledger_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "service.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(RunFolderError, match="cannot be written"):
        Ledger(tmp_path)
