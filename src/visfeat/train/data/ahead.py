"""Work done ahead by threads, its results in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def ahead(
    jobs: Iterable[Job], work: Callable[[Job], Result], *, threads: int | None = None, most: int | None = None
) -> Iterator[Result]:
    """``work`` of each job, in the order of the jobs; at most ``most`` results wait at a time.

    What ``work`` raises is raised where its result would have come. Decoding, resizing and numpy let go of the
    interpreter's lock, so threads suffice.
    """
    threads = threads or os.cpu_count() or 1
    waiting: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="visfeat-ahead")
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > (most or 2 * threads):
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
