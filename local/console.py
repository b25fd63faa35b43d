"""Progress for the person who waits, on standard error: standard output is for results."""

from __future__ import annotations

import sys


def progress(text: str) -> None:
    """Show one line at once."""
    print(text, file=sys.stderr, flush=True)
