"""The order of urgency, and the simulation of what it gains."""

from dataclasses import replace

import pytest

from cxrscan.scanner.evaluation.grouping import grouped
from cxrscan.scanner.evaluation.studies import StudyCollector
from cxrscan.scanner.evaluation.waiting import simulate_waiting
from cxrscan.scanner.evaluation.worklist import order_by_urgency
from cxrscan.scanner.records import Film, FilmAttributes
from tests.reports.films import MODEL, failed, scored


def studies_of(films):
    collector = StudyCollector(MODEL)
    for _ in collector.watch(grouped(films, "folder", {})):
        pass
    return collector.studies("highest")


def order(films, **options):
    return order_by_urgency(studies_of(films), **({"prior": 0.5, "prevalence": 0.5} | options))


def names(entries):
    return [entry.study.name for entry in entries]


def test_the_most_probable_come_first_and_the_unscored_where_the_prevalence_puts_them():
    films = [scored("low/a", 0.1), scored("high/a", 0.9), failed("failed/a"), scored("middle/a", 0.6)]
    entries = order(films)
    assert names(entries) == ["high", "middle", "failed", "low"]
    assert entries[2].why == ("no-score",)
    rare = order(films, prevalence=0.01)
    assert rare[0].urgency == pytest.approx(9 / 108)
    assert names(rare) == ["high", "middle", "failed", "low"]


@pytest.mark.parametrize("prevalence", [5e-324, 1 - 2**-53])
def test_the_rarest_and_the_most_common_disease_have_an_order_too(prevalence):
    films = [scored("low/a", 0.0), scored("high/a", 0.9), scored("middle/a", 0.6)]
    entries = order(films, prevalence=prevalence)
    assert names(entries)[-1] == "low"
    assert all(0.0 <= entry.urgency <= 1.0 for entry in entries)
    assert simulate_waiting(entries, prevalence=prevalence, minutes_per_study=3.0).n_studies == 3


def test_a_film_that_the_model_does_not_know_is_trusted_by_half():
    (entry,) = order([scored("x/a", 0.9, warns=("unlike-training-films",))], prevalence=0.5)
    assert (entry.urgency, entry.why) == (pytest.approx(0.7), ("outside",))
    (known,) = order([scored("x/a", 0.9, warns=("blurred",))])
    assert (known.urgency, known.why) == (pytest.approx(0.9), ())


def test_a_study_that_lacks_a_view_is_never_put_last_for_its_probability():
    films = [
        scored("pa/a", 0.01, attributes=FilmAttributes(view_position="PA")),
        scored("both/a", 0.01, attributes=FilmAttributes(view_position="PA")),
        scored("both/b", 0.01, attributes=FilmAttributes(view_position="LL")),
    ]
    first, second = order(films, views=("PA", "LL"))
    assert (first.study.name, first.missing_views, first.urgency, first.why) == ("pa", ("LL",), 0.5, ("missing-view",))
    assert (second.study.name, second.missing_views, second.why) == ("both", (), ())


def test_among_equals_the_older_study_comes_first():
    def film(name, day):
        done = scored(name, 0.5)
        return Film(replace(done.result, attributes=FilmAttributes(ids=(("acquired_at", day),))))

    assert names(order([film("a/x", "2024-02-01"), film("b/x", "2024-01-01"), scored("c/x", 0.5)])) == ["b", "a", "c"]


def test_a_perfect_order_is_read_as_fast_as_can_be():
    films = [scored(f"{i}/a", 0.99 if i < 20 else 0.01, "PNEUMONIA" if i < 20 else "NORMAL") for i in range(100)]
    found = simulate_waiting(order(films), prevalence=0.2, minutes_per_study=3, n_simulations=200)
    assert found.basis == "labels"
    assert found.figures["by_worklist"].value == pytest.approx(3 * 10.5, rel=0.1)
    assert found.figures["as_they_come"].value == pytest.approx(3 * 50.5, rel=0.1)
    gain = found.figures["gain"]
    assert gain.low is not None
    assert gain.low > 0
    assert found.figures["others_lose"].value > 0


def test_an_order_that_says_nothing_gains_nothing():
    films = [scored(f"{i}/a", 0.5, "PNEUMONIA" if i % 2 else "NORMAL") for i in range(60)]
    gain = simulate_waiting(order(films), prevalence=0.3, minutes_per_study=1, n_simulations=300).figures["gain"]
    assert gain.low < 0 < gain.high
    assert gain.value == pytest.approx(0, abs=2)


def test_two_readers_take_half_the_time_and_the_same_seed_gives_the_same():
    films = [scored(f"{i}/a", i / 50, "PNEUMONIA" if i > 20 else "NORMAL") for i in range(50)]
    one, two, again = (
        simulate_waiting(order(films), prevalence=0.2, minutes_per_study=2, n_readers=n, n_simulations=50)
        for n in (1, 2, 1)
    )
    assert two.figures["as_they_come"].value == pytest.approx(one.figures["as_they_come"].value / 2, rel=0.05)
    assert again == one


def test_without_labels_the_urgency_is_taken_for_the_chance():
    films = [scored(f"{i}/a", 0.9 if i < 10 else 0.1) for i in range(50)]
    found = simulate_waiting(order(films), prevalence=0.5, minutes_per_study=1, n_simulations=100)
    assert found.basis == "probabilities"
    assert found.figures["gain"].value > 0


def test_a_list_of_one_study_tells_no_gain():
    found = simulate_waiting(order([scored("x/a", 0.5)]), prevalence=0.5, minutes_per_study=1, n_simulations=5)
    assert (found.n_simulations, found.figures["gain"].value) == (0, None)
    assert found.figures["gain"].reason
