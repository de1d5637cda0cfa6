"""``cxrscan view``: look at one film, or page through a run, in the browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scanner import NOTICE
from scanner.cli import options

if TYPE_CHECKING:
    from scanner.viewer.opening import Opening

_ADDRESS = "127.0.0.1"
_MAX_UPLOAD_MB = 420
"""A film of --max-megapixels' default with 16 bits per pixel, and its header."""


@click.command(short_help="Look at a film, or page through a run.")
@click.argument("path", required=False, type=options.existing_path, metavar="[FILE|RUN]")
@options.model
@options.threshold
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Port on this computer; default: 8501 or the next free one."
)
@click.option("--no-browser", is_flag=True, help="Only tell the address; open no browser.")
def view(path: Path | None, bundle: Path | None, threshold: str | None, port: int | None, no_browser: bool) -> None:
    """Look at single films in the browser, on this computer only; nothing that is opened there is written to disk.

    \b
    cxrscan view               films are uploaded on the page
    cxrscan view film.dcm      opens a film at once
    cxrscan view cxrscan-out   pages through a finished run and keeps your verdicts beside it
    """
    try:
        import streamlit as st
        from starlette.formparsers import MultiPartParser
    except ImportError:
        from scanner.errors import CxrscanError

        raise CxrscanError("extra-missing", "The viewer needs Streamlit, from the extra `viewer`.") from None

    from scanner.viewer import opening

    opening.current = _opening(path, bundle, threshold)
    MultiPartParser.spool_max_size = _MAX_UPLOAD_MB * 2**20  # beyond 1 MB it would write uploads to a temporary file
    app = st.App(Path(opening.__file__).with_name("app.py"), lifespan=_tell_address)
    app.run(config=_config(port, opens_browser=not no_browser))


def _opening(path: Path | None, bundle: Path | None, threshold: str | None) -> Opening:
    """Check what was given before a server starts, and warm up what the first answer needs.

    Raises
    ------
    CxrscanError
        The film cannot be read, the folder is no run, the bundle cannot be used, or it has no such threshold.
    """
    from scanner.errors import FilmError
    from scanner.model_bundle import DEFAULT_BUNDLE
    from scanner.readers import dicom  # noqa: F401  # half a second that the first DICOM film would wait for
    from scanner.runs.journal import Journal, stored_info, stored_model
    from scanner.settings import ScanSettings
    from scanner.trial import open_bundle
    from scanner.viewer.decoding import film_source
    from scanner.viewer.opening import Opening
    from scanner.worker import open_model

    settings = ScanSettings(model=bundle or DEFAULT_BUNDLE)
    if path is not None and path.is_dir():
        with Journal(path, read_only=True) as journal:
            stored_info(journal)
            stored_model(journal).threshold(threshold)
        return Opening(settings, threshold, run=path)
    settings = open_bundle(settings.model).hold(settings)
    model, _ = open_model(settings)
    model.threshold(threshold)
    if path is None:
        return Opening(settings, threshold)
    try:
        return Opening(settings, threshold, film_source(path.name, path.read_bytes(), path.stat().st_mtime_ns))
    except OSError as error:
        raise FilmError("unreadable", f"{path} cannot be read: {error.strerror}.") from error


def _config(port: int | None, *, opens_browser: bool) -> dict[str, Any]:
    """Streamlit's options: reachable from this computer only, silent towards the network, no developer's tools."""
    return {
        "server.address": _ADDRESS,
        "server.allowedHosts": [_ADDRESS, "localhost"],  # against DNS rebinding
        **({"server.port": port} if port else {}),
        "server.headless": not opens_browser,
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
async def _tell_address(app: object) -> AsyncIterator[None]:
    """Say where the page is, once the port is known."""
    import streamlit as st

    click.echo(f"Viewer at http://{_ADDRESS}:{st.get_option('server.port')} (Ctrl-C ends it)", err=True)
    click.echo(NOTICE, err=True)
    yield
