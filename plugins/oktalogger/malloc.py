"""Sets the C allocator of this process so that the memory of a long load stays flat."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

# <malloc.h>
_M_MMAP_THRESHOLD: Final = -3
_LARGE_BYTES: Final = 1024 * 1024


def limit_heap_growth_of_process() -> bool:
    """Make the allocator of the whole process return large blocks (pages, bulk bodies) to the system once freed.

    glibc raises the size from which on it does that to the largest block freed so far (``mallopt(3)``,
    ``M_MMAP_THRESHOLD``), so that after a few pages every large block lies on the heap, which then grows with the
    length of the window because it is never free of small ones. A size that is set stays.

    :return: whether it was set; other C libraries than glibc do not know it, and most need no such help
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES) == 1)
