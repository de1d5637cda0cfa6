"""What changed since an earlier run."""

from dataclasses import replace

from cxrscan.scanner.evaluation.changes import KINDS, Earlier, find_changes
from cxrscan.scanner.evaluation.film_notes import note
from cxrscan.scanner.records import Estimate
from tests.reports.films import INFO, MODEL, failed, rejected, scored

KNOWING = replace(MODEL, validation={"other versions of the same films": {"repeat_log_odds": Estimate(1.0)}})


def changes(before, now, model=KNOWING):
    earlier = Earlier("last week", "toy 1.0 at 0.50", tuple(note(film, INFO) for film in before))
    return find_changes(earlier, [note(film, INFO) for film in now], model, "toy 1.0 at 0.50")


def kinds(found):
    return {name: change.kind for name, change in found.found.items()}


def test_films_come_go_and_stay():
    found = changes([scored("a", 0.2), scored("b", 0.2)], [scored("b", 0.2), scored("c", 0.2)])
    assert (kinds(found), found.n_same) == ({"c": "new"}, 1)
    assert [change.name for change in found.gone] == ["a"]


def test_a_film_with_another_name_is_neither_new_nor_gone():
    moved = scored("a", 0.2)
    now = replace(moved, result=replace(moved.result, name="z"))
    found = changes([moved], [now])
    assert (kinds(found), found.gone) == ({"z": "renamed"}, ())


def test_copies_are_not_taken_for_renamed():
    one, two = scored("a", 0.2), scored("b", 0.2)
    two = replace(two, result=replace(two.result, sha256=one.result.sha256))
    now = replace(one, result=replace(one.result, name="z"))
    assert kinds(changes([one, two], [now])) == {"z": "new"}


def test_the_first_reason_counts_and_the_larger_change_comes_first():
    other = scored("content", 0.2)
    before = [
        other,
        failed("status"),
        scored("call", 0.45),
        scored("far", 0.6),
        scored("farther", 0.6),
        scored("near", 0.6),
    ]
    scored_now = scored("status", 0.2)
    now = [
        replace(other, result=replace(other.result, sha256="ee" * 32)),
        replace(scored_now, result=replace(scored_now.result, sha256="")),
        scored("call", 0.55),
        scored("far", 0.9),
        scored("farther", 0.99),
        scored("near", 0.65),
    ]
    found = changes(before, now)
    assert list(kinds(found).items()) == [
        *(("content", "content"), ("status", "status"), ("call", "call"), ("farther", "probability")),
        ("far", "probability"),
    ]
    assert found.n_same == 1
    assert set(kinds(found).values()) < set(KINDS)


def test_probabilities_are_not_compared_where_the_bundle_is_silent():
    found = changes([scored("a", 0.6)], [scored("a", 0.99)], MODEL)
    assert (found.repeat, kinds(found)) == (None, {})


def test_a_film_that_is_rejected_now_has_changed():
    film = rejected("a", "blank")
    before = scored("a", 0.2)
    before = replace(before, result=replace(before.result, sha256=film.result.sha256))
    assert kinds(changes([before], [film])) == {"a": "status"}
