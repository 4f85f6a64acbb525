"""How the reference finds its functions by the names of the public tables."""


def named(table, kind, name):
    """The row of a table; ValueError where it has none of this name."""
    if name not in table:
        raise ValueError(f"the reference has no {kind} {name!r}")
    return table[name]
