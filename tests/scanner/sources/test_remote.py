"""Films in archives, in memory, on a web server and in a bucket give the rows that they give on a disk."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import boto3
import fsspec
import pytest
from moto.backends import get_backend
from moto.core import DEFAULT_ACCOUNT_ID
from moto.server import ThreadedMotoServer
from werkzeug.wrappers import Request

from cxrscan.reports.outputs import write_outputs
from cxrscan.scanner.errors import CxrscanError
from cxrscan.scanner.evaluation.labels import LabelRequest
from cxrscan.scanner.executors.base import Chunk, Executor
from cxrscan.scanner.executors.dask import DaskExecutor, LocalWorkers
from cxrscan.scanner.executors.processes import ProcessExecutor
from cxrscan.scanner.records import ScanResult, Skip
from cxrscan.scanner.run import RunRequest, run
from cxrscan.scanner.settings import ScanSettings
from cxrscan.scanner.sources import remote
from cxrscan.scanner.sources.filters import Filter, Shard
from cxrscan.scanner.sources.lists import FileList
from cxrscan.scanner.sources.remote import RemotePath
from cxrscan.scanner.sources.walk import Root, find_images
from cxrscan.scanner.worker import scan_chunk
from tests.builders import dicom_film, encode, film_pixels, write_film
from tests.faults.harness import COMMAND, table

BUCKET = "archive"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films with and without a telling name, a broken one, and what is passed over."""
    folder = tmp_path_factory.mktemp("here") / "films"
    for seed in range(10):
        write_film(folder / ("NORMAL" if seed % 2 else "PNEUMONIA") / f"{seed}.png", seed, height=210, width=210)
    (folder / "IM0001").write_bytes(dicom_film(film_pixels(3)))
    (folder / "broken.jpg").touch()
    (folder / "letter.jpg").write_text("Dear colleague")
    (folder / "notes.txt").write_text("no film")
    (folder / ".hidden.png").write_bytes(encode(film_pixels(), "PNG"))
    (folder / "old run").mkdir()
    (folder / "old run/journal.sqlite").touch()
    write_film(folder / "old run/thumbnail.jpg")
    return folder


@pytest.fixture(scope="module")
def local(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scan(films, tmp_path_factory.mktemp("local"))


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(remote, "_WAITS_S", (0.01, 0.01, 0.01, 0.01))
    remote._open.cache_clear()
    yield
    remote._open.cache_clear()


class S3:
    """A bucket on this machine, and what to let go wrong with it."""

    def __init__(self) -> None:
        self.n_errors: dict[str, int] = {}
        """Key -> how many of the next requests for it fail."""
        self.requests: list[str] = []
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self._application = self._server._server.app  # type: ignore[union-attr]
        self._server._server.app = self._answer  # type: ignore[union-attr]
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        self.client = boto3.client("s3", endpoint_url=self.url)
        self.client.create_bucket(Bucket=BUCKET)

    def _answer(self, environment: dict[str, Any], start: Any) -> Any:
        path = Request(environment).path
        self.requests.append(path)
        if self.n_errors.get(path, 0) > 0:
            self.n_errors[path] -= 1
            start("503 Slow Down", [("Content-Type", "application/xml")])
            return [b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"]
        return self._application(environment, start)

    def stop(self) -> None:
        self.client.close()
        self._server.stop()


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        server = S3()
        patch.setenv("AWS_ENDPOINT_URL", server.url)
        yield server
        server.stop()


@pytest.fixture(scope="module")
def bucket(s3: S3, films: Path) -> str:
    for path in films.rglob("*"):
        if path.is_file():
            s3.client.put_object(Bucket=BUCKET, Key=f"films/{path.relative_to(films)}", Body=path.read_bytes())
    s3.client.put_object(Bucket=BUCKET, Key="films/", Body=b"")  # as consoles mark a folder
    return f"s3://{BUCKET}/films"


def request(root: Root, out: Path, **options: Any) -> RunRequest:
    return RunRequest(
        **{"roots": (root,), "out": out, "settings": ScanSettings(batch_size=4), "n_workers": 1, **options}
    )


def scan(root: Root, out: Path, **options: Any) -> Path:
    return run(request(root, out, **options), write_outputs).outputs.csv.parent


def test_an_archive_gives_the_rows_of_its_folder(films: Path, local: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "films.zip", "w") as archive:
        for path in films.rglob("*"):
            archive.write(path, path.relative_to(films))
    assert table(scan(RemotePath(f"zip://{tmp_path}/films.zip"), tmp_path / "a")) == table(local)
    assert table(scan(RemotePath(f"zip://::{tmp_path}/films.zip"), tmp_path / "b")) == table(local)


class ThisProcess:
    """Scans here: no other process sees ``memory://``."""

    def run(self, chunks: Iterable[Chunk], settings: ScanSettings) -> Iterator[list[ScanResult | Skip]]:
        return (scan_chunk(chunk, settings) for chunk in chunks)


OTHERS = sorted(set(fsspec.available_protocols()) - {*remote.PLACES, *remote.ARCHIVES})


@pytest.mark.parametrize(
    "url",
    [
        *(f"{name}://x" for name in OTHERS),
        *(f"zip://film.png::{name}://x" for name in OTHERS if name != "file"),
        *(f"{name}::s3://bucket/films" for name in OTHERS),
        *("zip://film.png::reference", "zip://film.png::", "zip://x\nreference://y", "s3://a::s3://b", "zip::s3://a"),
        *("ZIP://a::s3://b", "Reference://x", "https://a/film.png::simplecache", "zip://a::data:,x", "://x", "a b://x"),
        "reference://film1.jpg::file:///reference.json",
    ],
)
def test_only_places_for_films_are_opened(url: str, tmp_path: Path) -> None:
    before = {name for name in sys.modules if name.startswith("fsspec.implementations")}
    with pytest.raises(CxrscanError) as caught:
        RemotePath(url).read_bytes()
    assert caught.value.code == "place-refused"
    assert {name for name in sys.modules if name.startswith("fsspec.implementations")} == before


def test_a_refused_address_in_a_list_is_a_row(films: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{films}/PNEUMONIA/0.png\nreference://a.jpg::file:///x.json\n")
    rows = table(scan(FileList(str(tmp_path / "list")), tmp_path / "out"))
    assert sorted(row["error_code"] for row in rows) == ["", "place-refused"]


@pytest.mark.parametrize("address", ["https://[abc/studies", "http://a:b/c.png", "s3://[", "zip://::https://[x/y.zip"])
def test_an_address_that_is_none_is_a_row_of_a_list(address: str, films: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{films}/PNEUMONIA/0.png\n{address}\n")
    rows = table(scan(FileList(str(tmp_path / "list")), tmp_path / "out"))
    assert sorted(row["error_code"] for row in rows) == ["", "place-unreadable"]


def test_a_tar_file_gives_the_rows_of_its_folder(films: Path, local: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "films.tar", "w") as archive:
        for path in films.rglob("*"):
            archive.add(path, path.relative_to(films), recursive=False)
    assert table(scan(RemotePath(f"tar://::file://{tmp_path}/films.tar"), tmp_path / "a")) == table(local)
    assert table(scan(RemotePath(f"tar://{tmp_path}/films.tar"), tmp_path / "b")) == table(local)


def test_memory_gives_the_rows_of_a_folder(films: Path, local: Path, tmp_path: Path) -> None:
    fsspec.filesystem("memory").put(f"{films}/", "/films/", recursive=True)
    found = scan(RemotePath("memory://films"), tmp_path, executor=ThisProcess())
    assert table(found) == table(local)


class Web(SimpleHTTPRequestHandler):
    """A web server that says of its files what the test wants it to."""

    marks: tuple[str, ...] = ("Last-Modified",)
    read: ClassVar[list[str]] = []

    def log_message(self, *arguments: object) -> None:
        pass

    def send_header(self, keyword: str, value: str) -> None:
        if keyword != "Last-Modified" or keyword in self.marks:
            super().send_header(keyword, value)

    def end_headers(self) -> None:
        path = Path(self.translate_path(self.path))
        if "ETag" in self.marks and path.is_file():
            self.send_header("ETag", hashlib.sha256(path.read_bytes()).hexdigest())
        super().end_headers()

    def do_GET(self) -> None:
        self.read.append(self.path)
        super().do_GET()


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], str]]:
    """Serve a folder; the address of the server."""
    monkeypatch.setattr(Web, "read", [])
    with ExitStack() as servers:

        def start(folder: Path) -> str:
            server = servers.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), partial(Web, directory=str(folder))))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            servers.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}"

        yield start


@pytest.fixture
def web(films: Path, serve: Callable[[Path], str]) -> str:
    return serve(films)


@pytest.mark.parametrize("marks", [("Last-Modified",), ("ETag",), ()])
@pytest.mark.parametrize("given", ["/", "/x.png", "list"])
def test_a_film_on_a_web_server_is_read_again_unless_it_is_known_to_be_unchanged(
    marks: tuple[str, ...],
    given: str,
    serve: Callable[[Path], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Web, "marks", marks)
    film = write_film(tmp_path / "films/x.png", seed=1, height=210, width=210)
    os.utime(film, (10**9, 10**9))
    address = serve(tmp_path / "films")
    (tmp_path / "list").write_text(f"{address}/x.png\n")
    root = FileList(str(tmp_path / "list")) if given == "list" else RemotePath(f"{address}{given}")

    def sha256() -> str:
        (row,) = table(scan(root, tmp_path / "out", executor=ThisProcess()))
        return row["sha256"]

    first = sha256()
    n_read = Web.read.count("/x.png")
    assert sha256() == first
    assert (Web.read.count("/x.png") > n_read) == (not marks)  # nothing was told, so nothing is known
    write_film(film, seed=2, height=210, width=210)
    os.utime(film, (10**9 + 1, 10**9 + 1))
    assert sha256() == hashlib.sha256(film.read_bytes()).hexdigest() != first


def test_addresses_that_differ_in_what_is_not_shown_are_two_films(web: str, tmp_path: Path) -> None:
    lines = [f"{web}/NORMAL/1.png?version={number}" for number in (1, 2, 2)]
    (tmp_path / "list").write_text("\n".join(lines))
    skipped: list[Skip] = []
    found = list(find_images([FileList(str(tmp_path / "list"))], on_skip=skipped.append))
    name = str(RemotePath(lines[0]))
    assert [source.name for source in found] == [name, f"~2/{name}"]
    assert [skip.reason for skip in skipped] == ["named twice"]


def test_a_web_servers_listing_and_a_single_address_are_read(web: str, local: Path, tmp_path: Path) -> None:
    of_folder = [row for row in table(local) if row["path"].startswith("NORMAL/")]
    found = table(scan(RemotePath(f"{web}/NORMAL/"), tmp_path / "a"))
    assert [{**row, "path": f"NORMAL/{row['path']}"} for row in found] == of_folder
    (row,) = table(scan(RemotePath(f"{web}/NORMAL/1.png?signature=secret"), tmp_path / "b"))
    assert row["path"] == "1.png"
    assert row["sha256"] == of_folder[0]["sha256"]
    assert "secret" not in (tmp_path / "b/run.json").read_text() + (tmp_path / "b/report.html").read_text()


def test_a_bucket_gives_the_rows_and_truth_of_a_folder(bucket: str, films: Path, tmp_path: Path) -> None:
    here = scan(films, tmp_path / "here", labels=LabelRequest("folders"))
    assert table(scan(RemotePath(bucket), tmp_path / "there", labels=LabelRequest("folders"))) == table(here)


@pytest.mark.parametrize("executor", [ProcessExecutor(2), DaskExecutor(LocalWorkers(2))], ids=["processes", "dask"])
def test_a_bucket_is_scanned_by_other_processes_too(
    executor: Executor, bucket: str, local: Path, tmp_path: Path
) -> None:
    assert table(scan(RemotePath(bucket), tmp_path, executor=executor)) == table(local)


def test_a_scan_of_a_bucket_is_continued_without_reading_films_again(s3: S3, bucket: str, tmp_path: Path) -> None:
    scan(RemotePath(bucket), tmp_path)
    s3.requests.clear()
    scan(RemotePath(bucket), tmp_path)
    assert not [path for path in s3.requests if path.endswith(".png")]


def test_no_more_of_an_object_is_read_than_a_film_may_hold(s3: S3) -> None:
    s3.client.put_object(Bucket=BUCKET, Key="odd/large.jpg", Body=b"x" * 5000)
    s3.client.put_object(Bucket=BUCKET, Key="odd/empty.jpg", Body=b"")
    large = RemotePath(f"s3://{BUCKET}/odd/large.jpg")
    assert len(large.read_bytes(5000)) == 5000
    with pytest.raises(OSError, match="too large") as caught:
        large.read_bytes(4999)
    assert caught.value.errno == errno.EFBIG
    assert RemotePath(f"s3://{BUCKET}/odd/empty.jpg").read_bytes() == b""


def test_errors_that_pass_are_waited_out(s3: S3, bucket: str, local: Path, tmp_path: Path) -> None:
    s3.n_errors = {f"/{BUCKET}/films/NORMAL/1.png": 12, f"/{BUCKET}/films/PNEUMONIA/2.png": 1, f"/{BUCKET}": 3}
    assert table(scan(RemotePath(bucket), tmp_path)) == table(local)
    assert not any(s3.n_errors.values())


def test_errors_that_stay_cost_one_film_and_end_in_its_record(s3: S3, bucket: str, local: Path, tmp_path: Path) -> None:
    path = f"/{BUCKET}/films/NORMAL/1.png"
    s3.n_errors = {path: 1_000_000}
    s3.requests.clear()
    found = {row["path"]: row for row in table(scan(RemotePath(bucket), tmp_path))}
    s3.n_errors = {}
    failed = found.pop("NORMAL/1.png")
    assert (failed["status"], failed["error_code"]) == ("failed", "unreadable")
    assert failed["error_message"].startswith("The file cannot be read: ")
    assert "Reduce" not in failed["error_message"]  # a store's own words may repeat an address
    assert s3.requests.count(path) < 60
    assert list(found.values()) == [row for row in table(local) if row["path"] != "NORMAL/1.png"]


def test_a_folder_of_more_than_five_thousand_keys_is_listed_page_by_page(s3: S3) -> None:
    for number in range(5_321):  # past the server: requests would take a minute
        get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"].put_object(BUCKET, f"many/{number:05}.png", b"")
    s3.requests.clear()
    found = list(find_images([RemotePath(f"s3://{BUCKET}/many")]))
    assert [source.name for source in found] == [f"{number:05}.png" for number in range(5_321)]
    assert 6 <= len(s3.requests) <= 10  # pages of a thousand, and no look at single films


def test_what_cannot_be_read_at_all_ends_the_run(s3: S3, tmp_path: Path) -> None:
    for url in (f"s3://{BUCKET}/nothing", "s3://no-such-bucket", f"zip://{tmp_path}/none.zip"):
        with pytest.raises(CxrscanError) as caught:
            scan(RemotePath(url), tmp_path / "out")
        assert caught.value.code == "place-unreadable", url
    assert not (tmp_path / "out").exists()


def test_a_driver_that_is_not_installed_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['s3fs'] = None; from cxrscan.scanner.cli.main import main; main()"
    arguments = [sys.executable, "-c", code, "run", "s3://bucket/films", "-o", str(tmp_path / "out")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "[extra-missing]" in done.stderr
    assert "s3fs" in done.stderr


def test_filters_and_shards_hold_for_remote_films(films: Path) -> None:
    fsspec.filesystem("memory").put(f"{films}/", "/filtered/", recursive=True)
    for keep in (Filter(exclude=("NORMAL", "*.jpg")), Filter(include=("*.png",)), Filter(shard=Shard(2, 3))):
        told: list[list[Skip]] = [[], []]
        here = [source.name for source in find_images([films], keep=keep, on_skip=told[0].append)]
        there = [
            source.name for source in find_images([RemotePath("memory://filtered")], keep=keep, on_skip=told[1].append)
        ]
        assert here == there
        assert told[0] == told[1]


def test_reading_ahead_hides_the_way_to_the_bucket(films: Path) -> None:
    class Slow:
        def __init__(self, path: Path) -> None:
            self.path = path

        def read_bytes(self, max_bytes: int) -> bytes:
            assert max_bytes > 0
            under_way.append(threading.get_ident())
            time.sleep(0.2)
            return self.path.read_bytes()

    under_way: list[int] = []
    sources = [replace(source, path=Slow(films / source.name)) for source in find_images([films])]
    first = next(remote.read_ahead(sources))
    assert first.path.read_bytes() == (films / first.name).read_bytes()
    assert len(set(under_way)) > 4


def test_outputs_are_copied_to_a_bucket_without_the_journal(s3: S3, films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = subprocess.run(
        [*COMMAND, str(films / "NORMAL"), "-o", str(out), "--upload", f"s3://{BUCKET}/results", "--jsonl"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listing = s3.client.list_objects_v2(Bucket=BUCKET, Prefix="results/")["Contents"]
    names = {"report.html", "results.csv", "results.jsonl", "run.json"}
    assert {item["Key"] for item in listing} == {f"results/{name}" for name in names}
    for name in names:
        body = s3.client.get_object(Bucket=BUCKET, Key=f"results/{name}")["Body"]
        assert body.read() == (out / name).read_bytes()
        body.close()


def test_outputs_that_cannot_be_copied_stay_in_the_run_folder(s3: S3, films: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = [*COMMAND, str(films / "NORMAL"), "-o", str(out), "--upload", "s3://no-such-bucket/results"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert (done.returncode, "[upload-failed]" in done.stderr) == (1, True), done.stderr
    assert {"report.html", "results.csv", "run.json"} <= {path.name for path in out.iterdir()}


def test_a_list_names_films_here_and_elsewhere(bucket: str, films: Path, local: Path, tmp_path: Path) -> None:
    names = ["NORMAL/1.png", "IM0001", "broken.jpg", "gone.png", "notes.txt"]
    here = [str(films / name) for name in names]
    (tmp_path / "list.txt").write_text("\n".join([*here, f"{bucket}/NORMAL/3.png", "", here[0]]))
    found = {row["path"]: row for row in table(scan(FileList(str(tmp_path / "list.txt")), tmp_path / "out"))}
    assert found.keys() == {*here, f"{bucket}/NORMAL/3.png"}
    assert [found[name]["error_code"] for name in here[2:]] == ["empty-file", "unreadable", "not-an-image"]
    expected = {row["path"]: row["prob_pneumonia"] for row in table(local)}
    assert found[here[0]]["prob_pneumonia"] == expected["NORMAL/1.png"]
    assert found[f"{bucket}/NORMAL/3.png"]["prob_pneumonia"] == expected["NORMAL/3.png"]


def test_a_list_comes_from_standard_input(films: Path, local: Path, tmp_path: Path) -> None:
    find = subprocess.run(
        ["find", "NORMAL", "PNEUMONIA", "-name", "*.png"], cwd=films, capture_output=True, text=True, check=True
    )
    done = subprocess.run(
        [*COMMAND, "--from-file", "-", "-o", str(tmp_path)],
        cwd=films,
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        input=find.stdout,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert table(tmp_path) == [row for row in table(local) if row["path"].endswith(".png")]


def test_a_local_scan_imports_no_driver(films: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom cxrscan.scanner.cli.main import cxrscan\n"
        f"cxrscan.main(['run', {str(films)!r}, '-o', {str(tmp_path)!r}], standalone_mode=False)\n"
        "print([name for name in ('fsspec', 'dask', 'distributed', 'aiohttp') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
