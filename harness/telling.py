"""Words that are passed on beside the frames: whoever keeps them on a slow disk makes no frame late."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

Tell = Callable[..., None]


@contextmanager
def told_meanwhile() -> Iterator[Tell]:
    """`tell(function, *arguments)` has it called in a thread, in order; all has been called at the end.

    What an earlier call raised is raised by the next one, or at the end, and then nothing more is called.
    """
    waiting: List[Future[Any]] = []
    with ThreadPoolExecutor(1) as pool:

        def tell(function: Callable[..., None], *arguments: Any) -> None:
            while waiting and waiting[0].done():
                waiting.pop(0).result()
            waiting.append(pool.submit(function, *arguments))

        try:
            yield tell
            for one in waiting:
                one.result()
        finally:
            for one in waiting:
                one.cancel()
