"""The root of every exception that lifepod raises on purpose; each package's own tree hangs below it."""


class LifepodError(Exception):
    """Anything lifepod says went wrong. Its first line stands alone: what was tried, what came back, what to do."""
