"""What lies where in a run folder."""

JOURNAL_NAME = "journal.sqlite"
"""The file that marks a run folder; the walk keeps out of those."""
