"""The report's HTML: safe, complete in itself, the same every time."""

import base64
import hashlib
import json
import re
from dataclasses import replace

import pytest

from cxrscan.reports.outputs import write_outputs
from cxrscan.reports.page.html_file import as_json
from cxrscan.scanner import NOTICE
from cxrscan.scanner.records import FilmAttributes
from tests.reports.films import INFO, failed, rejected, render, run_of, scored, small_run

HOSTILE = [
    "<img src=x onerror=alert(1)>.jpg",
    "</script><script>alert(1)</script>.jpg",
    "<!--.jpg",
    "{{7*7}}{% raw %}.jpg",
    '" onmouseover="alert(1).jpg',
]


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    return render(tmp_path_factory.mktemp("report"), small_run()).html.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_never_stand_in_the_page_as_markup(tmp_path, name):
    films = [
        scored(name, 0.9, attributes=FilmAttributes(manufacturer=name, body_part=name)),
        failed(name, message=name),
        rejected(name, "blank"),
    ]
    info = replace(INFO, roots=(name,), arguments={name: name}, n_skipped={name: 1}, versions={name: name})
    files = write_outputs(tmp_path, run_of(films, info), title=name)
    page = files.html.read_text(encoding="utf-8")
    shown = re.sub(r"<script.*?</script>|<style.*?</style>", "", page, flags=re.DOTALL)
    if "{" not in name:  # braces are no markup; they must come out as they went in
        assert name not in page
    assert "49" not in re.findall(r"<h1[^>]*>(.*?)</h1>", shown)[0]
    assert "alert(1)</script>" not in page


def test_json_blocks_cannot_end_their_element():
    text = as_json(["</script>", "<!--", "&amp;"])
    assert not re.search("[<>&]", text)
    assert json.loads(text) == ["</script>", "<!--", "&amp;"]


def test_the_policy_forbids_everything_but_the_page_s_own_script_and_style(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "img-src data:;" in policy
    for element in re.findall(r"<(?:script|style)>(.*?)</(?:script|style)>", page, flags=re.DOTALL):
        digest = base64.b64encode(hashlib.sha256(element.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy


def test_nothing_in_the_page_points_to_a_network(page):
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'<]*", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address that is loaded


def test_no_style_attribute_needs_an_exception_from_the_policy(page):
    assert not re.search(r"<[^>]+\sstyle=", page)


def test_the_notice_stands_first_and_last(page):
    body = page.split("<body>")[1]
    assert body.index(NOTICE) < body.index("<h1")
    assert body.rindex(NOTICE) > body.index('id="methods"')


def test_every_film_is_in_the_page_with_picture_and_heat_map(page):
    rows = [row for block in re.findall(r'class="rows">(.*?)</script>', page) for row in json.loads(block)]
    images = [image for block in re.findall(r'class="images">(.*?)</script>', page) for image in json.loads(block)]
    assert [row[0] for row in rows] == [film.result.name for film in small_run()]
    assert len(images) == sum(bool(film.result.thumbnail) for film in small_run())
    assert base64.b64decode(images[0]).startswith(b"\xff\xd8")
    assert len(base64.b64decode(rows[0][-2])) == 49


def test_failures_stand_with_reason_and_hint(page):
    problems = page.split('id="problems"')[1].split("</section>")[0]
    assert "The picture ends early." in problems
    assert "copy or export it again" in problems
    assert "radiographs are grey" in problems


def test_labels_charts_and_figures_are_read_aloud(page):
    assert page.count('role="img" aria-label="') >= 4
    assert "Receiver operating characteristic" in page
