"""Tests of the page's scripts run where Node is found."""

from __future__ import annotations

import shutil

from tests.chromium import not_collected

collect_ignore: list[str] = []
if shutil.which("node") is None:
    not_collected.append("the scripts of the report's page: need Node on the PATH")
    collect_ignore.append("test_page_scripts.py")
