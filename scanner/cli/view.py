"""``cxrscan view``: look at one film, or page through a run, in the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli import options

if TYPE_CHECKING:
    from cxrscan.scanner.viewer.opening import Opening

_ADDRESS = "127.0.0.1"
_MAX_UPLOAD_MB = 420
"""A film of --max-megapixels' default with 16 bits per pixel, and its header."""


@click.command(short_help="Look at a film, or page through a run.")
@click.argument("path", required=False, type=options.existing_path, metavar="[FILE|RUN]")
@options.model
@options.threshold
@click.option("--film", metavar="NAME", help="Begin with this film of RUN, by its name in the report.")
@click.option(
    "--queue",
    type=options.LocalPath(exists=True, dir_okay=False, path_type=Path),
    help="A reading list of `cxrscan queue`: its films are read blind, in its order.",
)
@click.option(
    "--reader", metavar="NAME", default="", help="Who reads a RUN; verdicts are kept apart, in verdicts-NAME.csv."
)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port on this computer; default: 8501 or the next free one."
)
@click.option("--no-browser", is_flag=True, help="Only tell the address; open no browser.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=60.0, show_default=True, help="Seconds for a film.")
@click.option(
    "--max-memory",
    type=click.FloatRange(min=0.0),
    default=4.0,
    show_default=True,
    help="GiB that a process which reads films may take (Linux); 0: no limit.",
)
def view(
    path: Path | None,
    bundle: Path | None,
    threshold: str | None,
    film: str | None,
    queue: Path | None,
    reader: str,
    port: int | None,
    no_browser: bool,
    timeout: float,
    max_memory: float,
) -> None:
    """Look at films in the browser, on this computer only. Of films that are uploaded nothing is written to disk.

    \b
    cxrscan view               films are uploaded on the page
    cxrscan view film.dcm      opens a film at once
    cxrscan view cxrscan-out   pages through a finished run and keeps your verdicts beside it
    cxrscan view cxrscan-out --queue queue.csv --reader anna   has Anna read the films of a list, blind

    The address that it tells holds a token: whoever does not have it gets nothing.
    """
    try:
        import streamlit as st
        from starlette.formparsers import MultiPartParser
        from starlette.middleware import Middleware
        from streamlit import config
    except ImportError:
        from cxrscan.scanner.errors import CxrscanError

        raise CxrscanError("extra-missing", "The viewer needs Streamlit, from the extra `viewer`.") from None

    from cxrscan.scanner.executors.processes import Limits
    from cxrscan.scanner.viewer import opening
    from cxrscan.scanner.viewer.decoding import workers
    from cxrscan.scanner.viewer.doorkeeper import Doorkeeper, new_token
    from cxrscan.scanner.viewer.finished_run import open_run

    _check_reader(path, queue, reader)
    if queue is not None and film is not None:
        raise click.UsageError("--queue has an order of its own: leave --film out.")
    opened = replace(_opening(path, bundle, threshold, film), queue=queue, reader=reader)
    if queue is not None and path is not None:
        open_run(path, reader, queue)
    opening.current = replace(opened, limits=Limits(timeout, max_memory))
    workers(opening.current.settings, opening.current.limits).stand_by()
    config.get_config_files = lambda file_name: []  # neither the working directory's nor a run folder's are heeded
    token = new_token()
    MultiPartParser.spool_max_size = _MAX_UPLOAD_MB * 2**20  # beyond 1 MB it would write uploads to a temporary file
    app = st.App(
        Path(opening.__file__).with_name("app.py"),
        lifespan=partial(_tell_address, token=token, opens_browser=not no_browser),
        middleware=[Middleware(Doorkeeper, token=token)],
    )
    app.run(config=_config(port))


def _check_reader(path: Path | None, queue: Path | None, reader: str) -> None:
    """Refuse a list or a reader without a run, and a reader whose name makes no file's."""
    from cxrscan.scanner.viewer.verdicts import READER_NAME

    if reader and not READER_NAME.fullmatch(reader):
        raise click.BadParameter("give letters, digits, - and _, 64 at most.", param_hint="--reader")
    if (queue is not None or reader) and (path is None or not path.is_dir()):
        raise click.UsageError("--queue and --reader need a RUN.")


def _opening(path: Path | None, bundle: Path | None, threshold: str | None, film: str | None) -> Opening:
    """Check what was given before a server starts, and warm up what the first answer needs.

    Raises
    ------
    CxrscanError
        The film cannot be read, the folder is no run, the bundle cannot be used, or it has no such threshold.
    """
    from cxrscan.scanner.errors import FilmError
    from cxrscan.scanner.model_bundle import DEFAULT_BUNDLE
    from cxrscan.scanner.readers import dicom  # noqa: F401  # half a second that the first DICOM film would wait for
    from cxrscan.scanner.settings import ScanSettings
    from cxrscan.scanner.trial import open_bundle
    from cxrscan.scanner.viewer.decoding import film_source
    from cxrscan.scanner.viewer.opening import Opening
    from cxrscan.scanner.worker import open_model

    settings = ScanSettings(model=bundle or DEFAULT_BUNDLE)
    if path is not None and path.is_dir():
        if bundle is not None:
            raise click.BadParameter(
                f"{path} is a run: it shows the model that scored it. Scan the films again with this one, "
                "into another folder.",
                param_hint="--model",
            )
        return Opening(settings, threshold, run=path, first=_first_film(path, threshold, film))
    if film is not None:
        raise click.BadParameter("needs the folder of a run.", param_hint="--film")
    settings = open_bundle(settings.model).hold(settings)
    model, _ = open_model(settings)
    model.threshold(threshold)
    if path is None:
        return Opening(settings, threshold)
    try:
        return Opening(settings, threshold, film_source(path.name, path.read_bytes(), path.stat().st_mtime_ns))
    except OSError as error:
        raise FilmError("unreadable", f"{path} cannot be read: {error.strerror}.") from error


def _first_film(folder: Path, threshold: str | None, shown: str | None) -> str:
    """Check that a run can be opened, and find the film to begin with; empty for the first."""
    from cxrscan.scanner.run_record import Run
    from cxrscan.scanner.runs.journal import Journal, stored_info, stored_model
    from cxrscan.scanner.runs.sharing import name_in_run

    with Journal(folder, read_only=True) as journal:
        run = Run(stored_info(journal), stored_model(journal), journal.films)
        run.model.threshold(threshold)
        name = name_in_run(run, shown) if shown is not None else ""
    if name is None:
        raise click.BadParameter(f"the run has no film called {shown!r}.", param_hint="--film")
    return name


def _config(port: int | None) -> dict[str, Any]:
    """Streamlit's options: reachable from this computer only, silent towards the network, no developer's tools."""
    return {
        "server.address": _ADDRESS,
        "server.allowedHosts": [_ADDRESS, "localhost"],  # against DNS rebinding
        **({"server.port": port} if port else {}),
        "server.headless": True,  # the browser is opened here, without the token in its command line
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.corsAllowedOrigins": [],
        "server.enableStaticServing": False,
        "server.enableAgentApi": False,
        "server.scriptHealthCheckEnabled": False,
        "server.baseUrlPath": "",
        "client.allowedOrigins": [],
        "global.developmentMode": False,
        "server.maxUploadSize": _MAX_UPLOAD_MB,
        "server.fileWatcherType": "none",
        "server.showEmailPrompt": False,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "viewer",
        "client.showErrorDetails": "none",
        "logger.hideWelcomeMessage": True,
        "runner.magicEnabled": False,
        "theme.light.primaryColor": "#0b5cad",
        "theme.dark.primaryColor": "#77b6ff",
        "theme.dark.backgroundColor": "#0e1114",
        "theme.dark.secondaryBackgroundColor": "#161a1f",
    }


@asynccontextmanager
async def _tell_address(app: object, *, token: str, opens_browser: bool) -> AsyncIterator[None]:
    """Say where the page is, once the port is known."""
    import streamlit as st

    from cxrscan.scanner.viewer.doorkeeper import TOKEN

    _close_sessions_with_their_pages()
    address = f"http://{_ADDRESS}:{st.get_option('server.port')}/?{TOKEN}={token}"
    click.echo(f"Viewer at {address} (Ctrl-C ends it)", err=True)
    click.echo(NOTICE, err=True)
    with _open_browser(address) if opens_browser else nullcontext():
        yield


@contextmanager
def _open_browser(address: str) -> Iterator[None]:
    """Open the page by way of a file that only this user may read: all users see the command lines of browsers."""
    import webbrowser
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="cxrscan-") as folder:
        way = Path(folder, "viewer.html")
        way.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={address}">')
        Thread(target=webbrowser.open, args=(way.as_uri(),), daemon=True).start()
        yield


def _close_sessions_with_their_pages() -> None:
    """Let go of uploads as soon as their page is closed; Streamlit would keep them for a page that comes back."""
    from streamlit.runtime import get_instance

    runtime = get_instance()
    disconnect = runtime.disconnect_session

    def close(session_id: str, *, client: Any = None) -> None:
        disconnect(session_id, client=client)
        if not runtime.is_active_session(session_id):
            runtime.close_session(session_id)

    runtime.disconnect_session = close  # type: ignore[method-assign]
