"""The model card in the words and figures of the report."""

import json
import re
from pathlib import Path

import cxrscan.scanner.models
from cxrscan.training.model_card import render_card

SHIPPED = Path(next(iter(cxrscan.scanner.models.__path__)))


def test_the_shipped_card_is_what_its_model_json_says():
    document = json.loads((SHIPPED / "model.json").read_text(encoding="utf-8"))
    assert (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8") == render_card(document)


def test_a_card_has_words_for_keys_whole_numbers_of_films_and_shares_in_percent():
    card = (SHIPPED / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "pairs: 281\n" in card
    assert "flips beyond 0.05: 2\n" in card
    assert re.search(r"hottest point in a box: \d+\.\d %", card)
    assert re.search(r"\| children \| 0\.\d{3} .*\| \d\d\.\d % \(\d\d\.\d–\d\d\.\d\) \|", card)
    assert not re.search(r"\bn films|_| 0 05|  \(| ;", card.split("## For whom")[0].split("- Source")[0])
