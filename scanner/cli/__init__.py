"""The command line: one module per sub-command."""

from typing import NoReturn


def start() -> NoReturn:
    """Run ``cxrscan``. Imports the rest only now: every worker process imports once more the script that calls this."""
    from cxrscan.scanner.cli.main import main

    main()
