"""Weights: read from files into modules with errors that say what does not fit, and named by a digest."""

from __future__ import annotations

import hashlib
import pickle
import struct
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from visfeat.errors import ModelError, UsageError, WeightsMismatch
from visfeat.models.quiet import quiet

StateDict = dict[str, Tensor]

PRETRAINED, RANDOM = "pretrained", "random"
_WRAPPERS = ("state_dict", "model", "model_state_dict", "module")
_PREFIXES = ("module.", "_orig_mod.")
SHOWN_KEYS = 3


def random_seed(weights: str) -> int | None:
    """The seed of ``random:SEED``, None for other weights; raises UsageError where it is no number."""
    kind, _, seed = weights.partition(":")
    if kind != RANDOM:
        return None
    try:
        return int(seed or "0")
    except ValueError:
        raise UsageError(f"--weights {weights}: the seed must be a whole number, as in random:0") from None


def read_weights(path: str) -> StateDict:
    """Read a state dict from .safetensors, .pth, .pt or .bin; pickles may hold nothing but tensors.

    Wrappers ({"state_dict": ...}) and prefixes ("module.") that training scripts add are taken off.
    Raises ModelError that names the file.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise ModelError(f"--weights {path}: no such file (or say pretrained or random:SEED)")
    if file.suffix == ".safetensors":
        return _unwrap(_read_safetensors(file), file)
    try:
        with quiet():
            data = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ModelError(
            f"--weights {path}: holds more than tensors and could run code when read, so it is refused; "
            "save its state_dict() as .safetensors"
        ) from None
    except (RuntimeError, EOFError, ValueError, OSError, KeyError, struct.error) as error:
        raise ModelError(f"--weights {path}: not a readable weights file ({error})") from None
    return _unwrap(data, file)


def _read_safetensors(file: Path) -> StateDict:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"--weights {file}: not a readable safetensors file ({error})") from None


def _unwrap(data: object, file: Path) -> StateDict:
    """The mapping from names to tensors inside what a training script saved."""
    while isinstance(data, Mapping) and not any(isinstance(value, Tensor) for value in data.values()):
        inner = next((data[key] for key in _WRAPPERS if isinstance(data.get(key), Mapping)), None)
        if inner is None:
            break
        data = inner
    tensors = {str(k): v for k, v in data.items() if isinstance(v, Tensor)} if isinstance(data, Mapping) else {}
    if not tensors:
        raise ModelError(f"--weights {file}: holds no state dict (a mapping from names to tensors)")
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    return tensors


def load_weights(module: nn.Module, state: StateDict, *, subject: str, file: str, head: str = "") -> None:
    """Copy a state dict into a module of the same architecture.

    ``head`` is the path of the classifier, so that an error can say whether only that differs. Raises WeightsMismatch
    that names the first keys that are missing, unexpected or of another shape.
    """
    own = module.state_dict()
    missing = [key for key in own if key not in state and not key.endswith("num_batches_tracked")]
    unexpected = [key for key in state if key not in own]
    shaped = [key for key in own if key in state and own[key].shape != state[key].shape]
    if not (missing or unexpected or shaped):
        module.load_state_dict(state, strict=False)
        return
    parts = [_keys("missing", missing), _keys("unexpected", unexpected)]
    if shaped:
        first = shaped[0]
        parts.append(
            f"{len(shaped)} of another shape, {first}: {tuple(state[first].shape)}, not {tuple(own[first].shape)}"
        )
    differing = missing + unexpected + shaped
    only_head = bool(head) and all(key.startswith(f"{head}.") for key in differing)
    verdict = "only the classifier head differs" if only_head else "another architecture"
    raise WeightsMismatch(f"--weights {file} does not fit {subject}: {verdict} ({'; '.join(filter(None, parts))})")


def _keys(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    return f"{len(keys)} {what}: {', '.join(keys[:SHOWN_KEYS])}{', ...' if len(keys) > SHOWN_KEYS else ''}"


def weights_digest(module: nn.Module) -> str:
    """Hex SHA-256 over name, dtype, shape and bytes of every parameter and buffer, in the order of the names."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        values = value.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.reshape(-1).view(torch.uint8).numpy().tobytes() if values.numel() else b"")
    return digest.hexdigest()


def head_of(module: nn.Module) -> str | None:
    """Path of the classifier: the last linear layer, else the last convolution; None where there is neither."""
    for kind in (nn.Linear, (nn.Conv2d, nn.Conv3d)):
        paths: list[str] = [path for path, part in module.named_modules() if isinstance(part, kind)]
        if paths:
            return paths[-1]
    return None


def fill_from_file(
    build: Callable[[int | None], nn.Module],
    path: str,
    *,
    subject: str,
    as_ours: Callable[[StateDict], StateDict] = dict,
) -> nn.Module:
    """Build a network and give it a file's weights; ``build`` takes a number of classes, None for its own.

    ``as_ours`` translates what the file holds, where files of another definition fit the network too. Where the file's
    classifier has another number of classes, the network is built with that many. Raises ModelError and WeightsMismatch
    as ``read_weights`` and ``load_weights`` do.
    """
    state = as_ours(read_weights(path))
    module = build(None)
    head = head_of(module)
    if head is not None:
        weight, own = state.get(f"{head}.weight"), module.get_parameter(f"{head}.weight")
        if weight is not None and weight.shape[1:] == own.shape[1:] and len(weight) != len(own):
            module = build(len(weight))
    load_weights(module, state, subject=subject, file=path, head=head or "")
    return module
