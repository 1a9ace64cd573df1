"""Telling somebody of an event: a command is run, a webhook is posted to; neither can hold up or end a watch."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from queue import Full, Queue
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from visfeat.errors import UsageError

MOST_WAITING = 100
WEBHOOK_TIMEOUT_S = 10.0
COMMAND_TIMEOUT_S = 60.0
FAREWELL_S = 30.0
STDERR = 2
PLACEHOLDERS = ("time_s", "score", "start_s", "end_s", "source")
_BRACED = re.compile(r"\{(\w+)\}")

Document = Mapping[str, Any]


class Alarms:
    """Does in a thread of its own what an event calls for; what goes wrong is reported.

    The command runs once an event, when it begins, without a shell. The webhook gets every document as JSON.
    """

    def __init__(
        self,
        *,
        command: str | None,
        webhook: str | None,
        report: Callable[[str], None],
        farewell_s: float = FAREWELL_S,
    ) -> None:
        """``farewell_s``: how long ``close`` waits.

        Raises UsageError for a command that cannot be split or filled, and for a URL that is not http(s).
        """
        self._farewell_s = farewell_s
        self._command = None if command is None else split_command(command)
        self._webhook = None if webhook is None else _checked(webhook)
        self._report = report
        self._waiting: Queue[Document | None] = Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="visfeat-alarms", daemon=True)
        self._thread.start()

    def send(self, document: Document) -> None:
        """Take a document for command and webhook, without waiting; one too many is reported and dropped."""
        if self._command is None and self._webhook is None:
            return
        try:
            self._waiting.put_nowait(document)
        except Full:
            self._report(f"an alarm was dropped: {MOST_WAITING} others wait for the command or the webhook")

    def close(self) -> None:
        """Wait for what is under way, for half a minute at most, and report what was given up."""
        ends_s = time.monotonic() + self._farewell_s
        try:
            self._waiting.put(None, timeout=self._farewell_s)
            self._thread.join(max(0.0, ends_s - time.monotonic()))
        except Full:
            pass
        if self._thread.is_alive():
            self._report("alarms were dropped: the command or the webhook did not come to an end")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _work(self) -> None:
        while (document := self._waiting.get()) is not None:
            if self._webhook is not None:
                self._post(self._webhook, document)
            if self._command is not None and document["phase"] == "begin":
                self._run(self._command, document)

    def _post(self, url: str, document: Document) -> None:
        request = urllib.request.Request(
            url, json.dumps(document).encode(), {"Content-Type": "application/json", "User-Agent": "visfeat"}
        )
        try:
            with urllib.request.urlopen(request, timeout=WEBHOOK_TIMEOUT_S):
                pass
        except urllib.error.HTTPError as error:
            self._report(f"the webhook at {urlsplit(url).hostname} answered {error.code}")
            error.close()
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", error)
            self._report(f"the webhook at {urlsplit(url).hostname} cannot be reached ({reason})")

    def _run(self, command: list[str], document: Document) -> None:
        words = [filled(word, document) for word in command]
        try:
            # Its output goes to stderr: stdout may be JSON that somebody reads.
            done = subprocess.run(
                words, timeout=COMMAND_TIMEOUT_S, stdin=subprocess.DEVNULL, stdout=STDERR, check=False
            )
        except subprocess.TimeoutExpired:
            self._report(f"{words[0]}: stopped after {COMMAND_TIMEOUT_S:g} s")
        except (OSError, ValueError) as error:
            self._report(f"{words[0]}: cannot be run ({getattr(error, 'strerror', None) or error})")
        else:
            if done.returncode:
                self._report(f"{words[0]}: ended with exit code {done.returncode}")


def split_command(command: str) -> list[str]:
    """A command's words, as a shell would split them; raises UsageError, also for a placeholder that is not there."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--command {command}: {error}") from None
    if not words:
        raise UsageError("--command: is empty")
    for name in _BRACED.findall(command):
        if name not in PLACEHOLDERS:
            known = ", ".join(f"{{{one}}}" for one in PLACEHOLDERS)
            raise UsageError(f"--command: there is no {{{name}}}; there are {known}")
    return words


def filled(word: str, document: Document) -> str:
    """A word with its placeholders filled; numbers with at most six decimals."""

    def value(match: re.Match[str]) -> str:
        found = document[match[1]]
        return f"{found:.6f}".rstrip("0").rstrip(".") if isinstance(found, float) else str(found)

    return _BRACED.sub(value, word)


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        is_usable = False
    if not is_usable or not url.isprintable() or " " in url:
        raise UsageError("--webhook: needs a URL that begins with http:// or https:// and names a host")
    return url
