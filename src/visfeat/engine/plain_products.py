"""NumPy's matrix products in the thread that asks for them, while inputs are computed side by side.

A product cuts itself up for threads of its own; asked for by several threads at once, those wait for each other thirty
times as long as the products take. The numbers are the same either way.
"""

from __future__ import annotations

from functools import cache
from threading import Lock
from types import TracebackType
from typing import Any

from visfeat.errors import MissingExtra


class PlainProducts:
    """A context for the whole process: who comes first takes the threads away, who leaves last gives them back."""

    def __init__(self, controller: Any) -> None:
        self._controller = controller
        self._lock = Lock()
        self._users = 0
        self._limiter: Any = None

    def __enter__(self) -> None:
        """Take the threads away, unless somebody did."""
        with self._lock:
            self._users += 1
            if self._users == 1:
                self._limiter = self._controller.limit(limits=1, user_api="blas")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give them back, unless somebody still computes."""
        with self._lock:
            self._users -= 1
            if self._users == 0:
                self._limiter.restore_original_limits()


@cache
def plain_products() -> PlainProducts:
    """The one context of this process; raises MissingExtra."""
    try:
        from threadpoolctl import ThreadpoolController
    except ModuleNotFoundError:
        raise MissingExtra("the classic engine (threadpoolctl)", extra="classic") from None
    return PlainProducts(ThreadpoolController())
