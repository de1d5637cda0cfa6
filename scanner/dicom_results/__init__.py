"""Results that go back into the archive: a structured report and a secondary capture for each film.

A further kind of object (a report of regions, say) is one module beside ``report`` and ``capture``: a function from
``FilmHeader`` and ``Answer`` to a data set, and a call in ``film_results``.
"""
