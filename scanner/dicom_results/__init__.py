"""Results that go back into the archive: structured reports and a secondary capture for each film.

A further kind of object is one module beside ``report``, ``regions_report`` and ``capture``: a function from
``FilmHeader`` and ``Answer`` to a data set, and a call in ``film_results``.
"""
