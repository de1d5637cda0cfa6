"""The command ``cxrscan``."""

from __future__ import annotations

import gc
import os
import shlex
import sys
from difflib import get_close_matches
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from cxrscan.scanner import NOTICE
from cxrscan.scanner.cli.configuration import find_files, give_defaults, name_variables, source_of
from cxrscan.scanner.cli.options import LocalPath, error_text
from cxrscan.scanner.errors import WRONG_USAGE, CxrscanError
from cxrscan.scanner.system.memory import keep_no_core_files
from cxrscan.scanner.system.surroundings import leave_working_directory_out
from cxrscan.scanner.system.terminal import let_telling_fail
from cxrscan.scanner.system.text import printable

COMMANDS = (
    "run",
    "demo",
    "report",
    "merge",
    "evaluate",
    "compare",
    "queue",
    "worklist",
    "agreement",
    "drift",
    "view",
    "dicom",
    "send",
    "dicom-read",
    "serve",
    "watch",
    "adapt",
    "train",
    "model",
    "config",
)


_HELP: Any = getattr(click.exceptions, "NoArgsIsHelpError", ())  # of click 8.2: its message is the help, line by line


def _no_command(name: str) -> str:
    """What to type instead of a word that is no command."""
    if Path(name).exists():
        return f"{name!r} is no command. To scan it: cxrscan run {shlex.quote(name)}"
    near = get_close_matches(name, COMMANDS, 1)
    return f"No such command {name!r}. " + (f"Did you mean {near[0]}?" if near else "`cxrscan -h` lists all commands.")


class Commands(click.Group):
    """Sub-commands, each in the module of its name and imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of use, not of the alphabet."""
        return list(COMMANDS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a folder in its place is told how it is scanned."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            ctx.fail(_no_command(name))
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in COMMANDS:
            return None
        module = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"cxrscan.scanner.cli.{module}"), module)
        name_variables(command, f"cxrscan_{module}")
        return command


@click.command(
    cls=Commands,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "max_content_width": 100,
        "auto_envvar_prefix": "CXRSCAN",
    },
    epilog=(
        f"{NOTICE} Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 finished and some files failed, "
        "4 poor fit (--fail-on-poor-fit), 5 drift (--fail-on-drift), 130 or 143 stopped."
    ),
)
@click.option(
    "--config",
    type=LocalPath(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE.toml",
    help="Settings of commands, in place of cxrscan.toml and pyproject.toml of the current folder.",
)
@click.version_option(package_name="cxrscan", allow_from_autoenv=False)  # CXRSCAN_VERSION is anybody's variable
@click.pass_context
def cxrscan(context: click.Context, config: Path | None) -> None:
    """Look through folders of chest X-rays for pneumonia.

    Every film gets a probability, a heat map and a verdict on how far to trust it.

    \b
    cxrscan demo          see it work on drawn films
    cxrscan run FOLDER    scan your films, then open cxrscan-out/report.html
    """
    context.obj = files = find_files(config)
    for file in files:
        file.refuse_unknown(COMMANDS)
    name = context.invoked_subcommand
    if files and name is not None and (command := cxrscan.get_command(context, name)) is not None:
        for told in give_defaults(context, name, command):
            click.echo(told, err=True)


def _origin(error: click.ClickException) -> str:
    """What must be said of an error in a command's options besides its message."""
    if isinstance(error, click.NoSuchOption) and error.option_name == "--config":
        return " Files of settings are named before the command: cxrscan --config FILE.toml COMMAND."
    if isinstance(error, click.BadParameter) and error.ctx is not None and error.param is not None:
        source = source_of(error.ctx, error.param)
        return "" if source in ("command line", "default") else f" ({source})"
    return ""


def main() -> NoReturn:
    """Run the command line; every error a user can meet ends as one sentence with a hint."""
    leave_working_directory_out()
    let_telling_fail()
    os.umask(os.umask(0o077) | 0o007)  # findings about patients are not for every user of the computer
    keep_no_core_files()
    try:
        code = cxrscan.main(standalone_mode=False)
    except CxrscanError as error:
        click.echo(error_text(error), err=True)
        code = 2 if error.code in WRONG_USAGE else 1
    except click.ClickException as error:
        if not isinstance(error, _HELP):
            error.message = printable(f"{error.message}{_origin(error)}")  # type: ignore[misc]  # what show() prints
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("cxrscan: interrupted.", err=True)
        code = 130
    gc.freeze()  # else Python looks through all objects once more before it ends, for a tenth of a second
    sys.exit(code or 0)
