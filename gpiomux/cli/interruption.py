"""How whoever watches a link stops: the command ends as if it were done, and prints what it knows by then."""

from __future__ import annotations

import signal
from contextlib import contextmanager

TYPE_CHECKING = False  # as of `typing`, whose import a short command can do without
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def until_interrupted() -> Iterator[None]:
    """End the block, and nothing else, with Ctrl-C or SIGTERM.

    *Threads and processes:* the main thread only. Also works where a shell has started the command in the background,
    with SIGINT ignored.
    """
    before = {number: signal.signal(number, signal.default_int_handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
