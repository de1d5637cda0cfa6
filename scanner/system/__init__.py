"""Helpers that know no film: cores, memory, time, text."""
