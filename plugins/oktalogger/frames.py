"""Keeps secrets out of tracebacks that are printed with local variables, as rich tracebacks and Sentry print them."""

from __future__ import annotations

import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def forgetting_locals() -> Iterator[None]:
    """Let errors pass, but clear the local variables of the functions that ended by them, libraries' own included.

    Put it around what handles secrets as plain text: a login's header stands in the variables of a dozen functions of
    an HTTP library. Messages, causes and line numbers stay.
    """
    try:
        yield
    except BaseException as error:
        passed: BaseException | None = error
        seen: set[int] = set()
        while passed is not None and id(passed) not in seen:
            seen.add(id(passed))
            traceback.clear_frames(passed.__traceback__)
            passed = passed.__cause__ or passed.__context__
        raise
