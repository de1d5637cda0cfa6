"""What pyproject.toml cannot say: man pages are made from the command line while a wheel is built."""

import sys
from contextlib import suppress
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel

sys.path.insert(0, str(Path(__file__).parent))


def write_man_pages(folder: str) -> None:
    """Write a page for each command."""
    from click import Context
    from click_man import core

    from cxrscan.scanner.cli.main import COMMANDS, cxrscan
    from cxrscan.version import __version__

    context = Context(cxrscan)
    cxrscan.commands = {name: command for name in COMMANDS if (command := cxrscan.get_command(context, name))}
    core.write_man_pages("cxrscan", cxrscan, version=__version__, target_dir=folder)


class WithManPages(bdist_wheel):
    """A wheel with pages in ``share/man``; without them where click-man is missing, as without build isolation."""

    def run(self) -> None:
        """Add the pages to what is installed."""
        folder = Path("build/man")
        folder.mkdir(parents=True, exist_ok=True)
        with suppress(ImportError):
            write_man_pages(str(folder))
        pages = sorted(page.as_posix() for page in folder.glob("*.1"))
        self.distribution.data_files = [*(self.distribution.data_files or ()), ("share/man/man1", pages)]
        super().run()


setup(cmdclass={"bdist_wheel": WithManPages})
