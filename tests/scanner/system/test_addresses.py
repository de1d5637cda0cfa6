"""What is shown of an address holds none of its secrets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cxrscan.scanner.system.addresses import last_part, shown_address, without_secrets
from cxrscan.scanner.system.text import printable

SECRET = "S3CRETsig"


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://host/films/a.jpg", "https://host/films/a.jpg"),
        ("https://host:8080/films/", "https://host:8080/films/"),
        (f"https://host/a.jpg?sig={SECRET}", "https://host/a.jpg"),
        (f"https://host/a.jpg?st=2026-01-01T00:00:00Z&se=2027-01-01T00:00:00Z&sig={SECRET}", "https://host/a.jpg"),
        (f"https://host/a.jpg#token={SECRET}", "https://host/a.jpg"),
        (f"https://host/a.jpg%3Fsig={SECRET}", "https://host/a.jpg"),
        (f"https://host/a.jpg;jsessionid={SECRET}", "https://host/a.jpg"),
        (f"https://host/a?x=1::{SECRET}", "https://host/a"),
        (f"https://user:{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://user:a@{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://user:a/{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://user:a?{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://user:a#{SECRET}@host/a.jpg", "https://host/a.jpg"),
        (f"https://user:{SECRET}", "https://…"),
        (f"s3://KEY:{SECRET}/x@bucket/a.jpg", "s3://bucket/a.jpg"),
        (f"s3://bucket/a.jpg?X-Amz-Signature={SECRET}", "s3://bucket/a.jpg"),
        ("s3://bucket/what? is this@home #1.jpg", "s3://bucket/what? is this@home #1.jpg"),
        (f"tls://u:{SECRET}@10.0.0.1:8786", "tls://10.0.0.1:8786"),
        (f"nosuch://u:{SECRET}@host/a", "nosuch://host/a"),
        (f"zip://a/b.jpg::https://u:{SECRET}@host/z.zip?x={SECRET}", "zip://a/b.jpg::https://host/z.zip"),
        ("zip://films.zip", "zip://films.zip"),
        ("zip://::films.zip", "zip://::films.zip"),
    ],
)
def test_an_address_is_shown_by_scheme_host_and_path(address: str, shown: str) -> None:
    assert shown_address(address) == shown


@given(
    scheme=st.sampled_from(["http", "https", "s3", "ftp", "sftp", "nosuch", "tls"]),
    before=st.text("ab:@/?#%;", max_size=6),
    after=st.text("ab:@/?#%;", max_size=6),
)
def test_a_password_is_never_shown_whatever_stands_around_it(scheme: str, before: str, after: str) -> None:
    assert SECRET not in shown_address(f"{scheme}://user:{before}{SECRET}{after}@host/film.jpg")
    assert SECRET not in shown_address(f"{scheme}://host/film.jpg?a={before}&sig={SECRET}{after}")


@given(st.text())
def test_anything_can_be_shown(text: str) -> None:
    assert shown_address(f"https://{text}") == printable(shown_address(f"https://{text}"))


def test_a_films_name_is_the_last_part_of_its_path() -> None:
    assert last_part(f"https://host/films/a.jpg?sig={SECRET}/x") == "a.jpg"
    assert last_part("bucket/films/what? a film.jpg") == "what? a film.jpg"


def test_text_that_is_no_address_stays_as_it_is() -> None:
    assert without_secrets("films/a?b=c@d") == "films/a?b=c@d"
