"""``cxrscan demo``: see a run on films that show nobody."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path

import click

from cxrscan.scanner.cli import options
from cxrscan.scanner.cli.run import run


@click.command(short_help="Draw synthetic films and scan them.")
@click.option(
    "-o",
    "--output",
    type=options.LocalPath(file_okay=False, path_type=Path),
    default=Path("cxrscan-demo"),
    show_default=True,
    help="Folder for the films and the results.",
)
def demo(output: Path) -> int:
    """Draw 24 synthetic chest films like children's and adults', a drawing and a broken file, and scan them.

    The films are scanned with `cxrscan run`.
    """
    from cxrscan.scanner.demo import draw_demo_folder

    films = output / "films"
    n_files = len(draw_demo_folder(films))
    click.echo(
        f"Drew {n_files} files in {films}: 24 synthetic chest films, half of them like children's and half like "
        "adults' (they show no patient, and accuracy on them says nothing about real films), a drawing that is no "
        "X-ray, and a file that is broken on purpose.\n"
        "For films of your own, type the same command with your folder:\n",
        err=True,
    )
    arguments = [str(films), "--labels", "folders", "-o", str(output / "results")]
    click.echo(f"$ {shlex.join([_command(), 'run', *arguments])}", err=True)
    code: int = run.main(arguments, prog_name="cxrscan run", standalone_mode=False)
    return 0 if code == 3 else code  # 3: some files failed, and one is meant to


def _command() -> str:
    """What starts cxrscan in the user's shell: its name, or its path where the environment is not activated."""
    called = Path(sys.argv[0])
    return str(called) if called.name == "cxrscan" and not shutil.which("cxrscan") else "cxrscan"
