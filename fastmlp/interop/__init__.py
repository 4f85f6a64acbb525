"""Doors to other libraries and languages: each format is a file of its own, imported when it is used."""
