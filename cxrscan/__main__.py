"""``python -m cxrscan``: the command line, where no script is on the path."""

from cxrscan.scanner.cli import start

if __name__ == "__main__":
    start()
