"""What both sides of the benchmark of clips start from: the frames of a video, decoded, at a network's own rate."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from visfeat.card import InputSpec
from visfeat.decode import DecodeOptions, open_decoder
from visfeat.frames import Frame
from visfeat.media import MediaItem, identify, uri_of
from visfeat.models.torchvision_clips import clip_input, clip_settings
from visfeat.recipe import Recipe
from visfeat.sample import sampler_of


def clip_spec(name: str) -> InputSpec:
    """The clips that a network of torchvision wants."""
    from torchvision import models

    settings = clip_settings(name)
    assert settings is not None
    return clip_input(models.get_model_weights(name).DEFAULT.transforms(), settings, None)


def sampled_frames(video: Path, spec: InputSpec) -> list[Frame]:
    """The frames on display at the rate of the clips, with their pixels in memory."""
    recipe = Recipe(clip=spec.clip_frames, clip_fps=spec.clip_fps)
    item, content = identify(MediaItem(uri_of(video), 0, 0))
    sampler = sampler_of(recipe)
    found = []
    with closing(open_decoder(item, content, DecodeOptions())) as decoder:
        for frame in decoder.frames():
            for chosen in sampler.feed(frame):
                found.append(_kept(chosen.frame))
    return found


def _kept(frame: Frame) -> Frame:
    pixels = frame.rgb()
    return Frame(frame.index, frame.start_s, frame.end_s, frame.is_keyframe, lambda: pixels)
