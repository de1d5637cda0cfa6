"""The command ``cxrscan``."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from scanner.cli.demo import demo
from scanner.cli.model import model
from scanner.cli.options import NOTICE
from scanner.cli.report import report
from scanner.cli.run import run
from scanner.cli.train import train
from scanner.errors import CxrscanError


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"{NOTICE} Exit codes: 0 ok, 1 failed, 2 wrong usage, 3 finished and some files failed, 130 interrupted.",
)
@click.version_option(package_name="cxrscan")
def cxrscan() -> None:
    """Look through folders of chest X-rays for pneumonia.

    Every film gets a probability, a heat map and a verdict on how far to trust it.
    """


for command in (run, demo, report, train, model):
    cxrscan.add_command(command)


def main() -> NoReturn:
    """Run the command line; every error a user can meet ends as one sentence with a hint."""
    try:
        code = cxrscan.main(standalone_mode=False)
    except CxrscanError as error:
        click.echo(f"cxrscan: {error.message} [{error.code}]\n  {error.hint}", err=True)
        code = 1
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("cxrscan: interrupted.", err=True)
        code = 130
    sys.exit(code or 0)
