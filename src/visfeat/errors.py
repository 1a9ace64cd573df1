"""Every error that visfeat raises on purpose.

    VisfeatError
    ├── UsageError            an option, recipe or name that cannot be used       (exit code 2)
    │   ├── UnknownModel      no model of that name
    │   └── UnknownLayer      the model has no layer of that name
    ├── MissingExtra          a feature whose extra is not installed               (exit code 1)
    ├── ModelError            a model that cannot be loaded                        (exit code 1)
    │   ├── WeightsMismatch   weights of another architecture
    │   └── CannotPack        a module that the packed format cannot express
    ├── EngineError           a network that could not be compiled or run          (exit code 1)
    │   └── OutOfMemory       a batch did not fit the device
    ├── TrainingError         a training that cannot go on                       (exit code 1)
    ├── StoreError            a store that cannot be opened, read or written       (exit code 1)
    └── MediaError            one file that cannot be read: recorded, never fatal  (exit code 3)
        ├── UnsupportedMedia  no decoder reads it
        ├── BrokenMedia       a decoder gave up on it
        └── TooManyPixels     its header promises more than --max-pixels

The message names its subject (a file, an option, a layer), what was wrong with it, and what to do.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class VisfeatError(Exception):
    """Base of all errors raised on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class UsageError(VisfeatError):
    """An option, a recipe or a name that cannot be used as it stands."""

    exit_code = 2


class UnknownModel(UsageError):
    """No model goes by that name."""


class UnknownLayer(UsageError):
    """The model has no layer of that name."""


class MissingExtra(VisfeatError):
    """The feature lives in an extra that is not installed."""

    def __init__(self, what: str, *, extra: str) -> None:
        super().__init__(f"{what} needs an extra that is not installed: pip install 'visfeat[{extra}]'")
        self.extra = extra


class ModelError(VisfeatError):
    """A model that cannot be loaded."""


class WeightsMismatch(ModelError):
    """The weights belong to another architecture."""


class CannotPack(ModelError):
    """The module cannot be written as a packed model; the torch engine still runs it."""


class EngineError(VisfeatError):
    """A network that could not be compiled or run."""


class OutOfMemory(EngineError):
    """A batch of ``batch_size`` did not fit the device's memory."""

    def __init__(self, message: str, *, batch_size: int) -> None:
        super().__init__(message)
        self.batch_size = batch_size


class TrainingError(VisfeatError):
    """A training that cannot go on; what it had learned is kept."""


class StoreError(VisfeatError):
    """A store that cannot be opened, read or written."""


class MediaError(VisfeatError):
    """One media file that cannot be read; a run records it with its reason and goes on.

    A command that is about this one file, or a live source that cannot be opened, ends with it.
    """


class UnsupportedMedia(MediaError):
    """No decoder reads this kind of file."""


class BrokenMedia(MediaError):
    """The file is damaged; a decoder gave up on it."""


class TooManyPixels(MediaError):
    """The header promises more pixels than ``max_pixels``; nothing was decoded."""


@contextmanager
def naming(path: str | os.PathLike[str]) -> Iterator[None]:
    """Put the path before a MediaError's reason, where no record stands beside it."""
    try:
        yield
    except MediaError as error:
        raise type(error)(f"{os.fspath(path)}: {error}") from None


def nearest_names(name: str, known: Iterable[str], *, most: int = 5) -> str:
    """The names closest to a mistyped one, as the end of an error message.

    >>> nearest_names("layr3", ["layer1", "layer3", "fc"])
    '; did you mean layer3 or layer1?'
    """
    close = difflib.get_close_matches(name, list(known), n=most, cutoff=0.5)
    if not close:
        return ""
    if len(close) == 1:
        return f"; did you mean {close[0]}?"
    return f"; did you mean {', '.join(close[:-1])} or {close[-1]}?"
