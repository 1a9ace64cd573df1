"""How many frames a network of clips is given: its own number, or another one that it takes."""

from __future__ import annotations

from visfeat.card import InputSpec
from visfeat.errors import UsageError


def with_clip(spec: InputSpec, clip_frames: int | None, *, model: str, fewest: int = 2) -> InputSpec:
    """The input with another number of frames; raises UsageError, which says what the model takes."""
    if clip_frames is None or clip_frames == spec.clip_frames:
        return spec
    if spec.clip_frames == 1:
        raise UsageError(f"--clip {clip_frames}: {model} sees single pictures, not clips")
    if spec.clip_lengths and clip_frames not in spec.clip_lengths:
        lengths = " or ".join(str(length) for length in spec.clip_lengths)
        raise UsageError(f"--clip {clip_frames}: {model} takes {lengths} frames")
    if clip_frames < fewest:
        raise UsageError(f"--clip {clip_frames}: {model} takes {fewest} frames or more")
    return spec.model_copy(update={"clip_frames": clip_frames})
