"""What the report says of readers and of changes."""

from dataclasses import replace

from cxrscan.reports.page.comparisons import changes_view, readers_view
from cxrscan.scanner.evaluation.agreement import Opinion
from cxrscan.scanner.evaluation.changes import Earlier, find_changes
from cxrscan.scanner.evaluation.film_notes import note
from cxrscan.scanner.evaluation.second_readers import gather_readings
from cxrscan.scanner.records import Estimate
from tests.reports.films import INFO, MODEL, scored

NOTES = [note(scored(f"{i}.jpg", 0.9 if i % 2 else 0.1), INFO) for i in range(30)]


def test_disagreements_are_listed_with_every_readers_answer():
    opinions = [Opinion(one.name, "", who, "no-pneumonia") for one in NOTES for who in ("anna", "ben", "cleo")]
    view = readers_view(gather_readings([*opinions, Opinion("gone", "", "anna", "unsure")], NOTES, "toy"))
    assert view.lead == "3 readers and the model differ on 15 of 30 films that have been read"
    assert "1 verdict is on films that are not in this run" in view.notes[1]
    agreement, films = view.tables
    assert agreement.rows[-1][0] == "All readers (Fleiss)"
    assert films.rows[0] == ("1.jpg", "PNEUMONIA 0.90", *["No pneumonia"] * 3)


def test_changes_are_counted_by_kind_and_another_model_or_threshold_is_named():
    model = replace(MODEL, validation={"other versions of the same films": {"repeat_log_odds": Estimate(1.0)}})
    now = [replace(NOTES[0], prob=0.4), replace(NOTES[1], called="NORMAL"), *NOTES[2:29], replace(NOTES[29], name="x")]
    view = changes_view(find_changes(Earlier("old", "toy 1.0 at 0.80", tuple(NOTES)), now, model, "toy 1.0 at 0.50"))
    assert view.lead == "3 of 30 files changed since old"
    assert "1 film is called otherwise" in view.notes[0]
    assert view.notes[1] == "Films were called by toy 1.0 at 0.80, and are now by toy 1.0 at 0.50."
    assert [row[1] for row in view.tables[0].rows] == ["call", "probability"]
