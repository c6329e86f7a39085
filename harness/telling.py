"""Words that are passed on beside the frames: whoever keeps them on a slow disk makes no frame late."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Callable, Iterator, List

Tell = Callable[..., None]


@contextmanager
def told_meanwhile() -> Iterator[Tell]:
    """`tell(function, *arguments)` has it called in a thread, in order; at the end, whatever ends it, all has been.

    After a call that raised nothing more is called, since what came later would hide a gap; its error is raised by a
    later `tell`, or at the end.
    """
    waiting: List[Any] = []
    failed: List[BaseException] = []

    def call(function: Callable[..., None], *arguments: Any) -> None:
        if failed:
            return
        try:
            function(*arguments)
        except BaseException as error:
            failed.append(error)
            raise

    with ThreadPoolExecutor(1) as pool:

        def tell(function: Callable[..., None], *arguments: Any) -> None:
            while waiting and waiting[0].done():
                waiting.pop(0).result()
            waiting.append(pool.submit(call, function, *arguments))

        yield tell
    for one in waiting:
        one.result()
