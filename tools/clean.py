"""Removes what the targets of the Makefile made. Needs nothing but Python: ``python3 -m tools.clean``."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

from local import paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MADE = (".venvs", ".local", "build", "dist", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis")


def made() -> Iterator[Path]:
    """What there is to remove.

    Of a state folder elsewhere, which ``OKTALOGGER_LOCAL`` names and others may share, only what demos left.
    """
    for name in MADE:
        yield paths.ROOT / name
    for state in {paths.state(), paths.server_state()}:
        if state.is_relative_to(paths.ROOT) or state == paths.relocated(paths.state()):
            yield state
        else:
            for pattern in ("demo-*", "check-*"):
                yield from state.glob(pattern)


def main() -> int:
    """Remove it, and say what was removed."""
    failed = False
    for path in made():
        if not path.exists():
            continue
        try:
            shutil.rmtree(path)
            print(f"removed {path}")
        except OSError as error:
            failed = True
            print(f"error: {path} could not be removed: {error}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
