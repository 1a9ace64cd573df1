"""Fetching pretrained weights: quiet, quick to give up without a network, and with an error that names the ways out."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from urllib.parse import urlsplit
from urllib.request import getproxies

from visfeat.errors import ModelError, VisfeatError
from visfeat.models.quiet import quiet

_WEIGHTS = (
    "its pretrained weights",
    "without a network say --weights FILE (.safetensors, .pth) or --weights random:SEED, or use the default model, "
    "which needs none",
)
_CONFIGURATION = (
    "its configuration",
    "say hf/PATH with a local folder that holds it, or, where there is a network, see that HF_HUB_OFFLINE is not set",
)


@contextmanager
def fetching(model: str, *, configuration: bool = False) -> Iterator[None]:
    """Within: a zoo loads its own weights. Whatever it raises becomes a ModelError that says what to do instead.

    ``configuration``: what is loaded is what a model of Hugging Face is, without which no weights are of use.

    Where the hub's name cannot be looked up, the hub's client is told that it is offline: it then reads what it has
    on disk and otherwise fails at once, instead of trying for a minute.
    """
    from huggingface_hub import constants

    offline = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = offline or not _is_known(constants.ENDPOINT)
    try:
        # Progress that a hub prints has no place in the output of a command.
        with quiet(), redirect_stdout(sys.stderr):
            yield
    except VisfeatError:
        raise
    except Exception as error:  # each zoo has its own errors, and those of the HTTP client that it uses
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        what, instead = _CONFIGURATION if configuration else _WEIGHTS
        raise ModelError(f"{model}: {what} could not be had ({reason}); {instead}") from error
    finally:
        constants.HF_HUB_OFFLINE = offline


def _is_known(url: str) -> bool:
    """Whether the host can be reached by name, directly or through a proxy."""
    if getproxies():
        return True
    try:
        socket.getaddrinfo(urlsplit(url).hostname, 443)
    except OSError:
        return False
    return True
