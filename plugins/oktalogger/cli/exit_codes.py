"""Exit codes of ``python -m oktalogger``, for scripts."""

from __future__ import annotations

from typing import Final

EXIT_FAILED: Final = 1
"""The command failed, or did not find what it was asked to find."""
EXIT_USAGE: Final = 2
"""Wrong use or settings."""
EXIT_REJECTED: Final = 3
"""``load`` stored the window, but some of its events were rejected."""
EXIT_CHANGES: Final = 3
"""``plan --check`` and ``setup --check`` found something to change on the server."""
EXIT_STOPPED: Final = 130
"""The command was interrupted."""
