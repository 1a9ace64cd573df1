"""Random changes of training pictures: the same for all frames, drawn by seed, epoch and sample."""

from __future__ import annotations

import pytest
import torch

from visfeat.errors import UsageError
from visfeat.train.augment import augment, parse_augmentations

WORDS = ("flip:1", "shift:2", "crop:0.5", "rotate:30", "jitter:0.5", "erase:1")


def clips(number=4, frames=3, side=16):
    """Random clips whose frames are all alike: so they must be when they were changed."""
    generator = torch.Generator().manual_seed(0)
    still = torch.randint(0, 256, (number, 1, side, side, 3), dtype=torch.uint8, generator=generator)
    return still.expand(number, frames, side, side, 3).contiguous()


@pytest.mark.parametrize("word", WORDS)
def test_all_frames_of_a_clip_change_alike(word):
    given = clips()
    changed = augment(given, parse_augmentations([word]), seed=0, epoch=0, samples=range(4))
    assert changed.shape == given.shape
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, given)
    assert all(torch.equal(changed[:, 0], changed[:, t]) for t in range(3))


def test_a_sample_changes_the_same_in_any_batch():
    given, changes = clips(), parse_augmentations(WORDS)
    together = augment(given, changes, seed=1, epoch=2, samples=[10, 11, 12, 13])
    alone = augment(given[2:3], changes, seed=1, epoch=2, samples=[12])
    assert torch.equal(together[2:3], alone)
    assert not torch.equal(together, augment(given, changes, seed=1, epoch=3, samples=[10, 11, 12, 13]))
    assert not torch.equal(together, augment(given, changes, seed=2, epoch=2, samples=[10, 11, 12, 13]))


def test_a_flip_mirrors_left_and_right():
    given = clips(1)
    assert torch.equal(augment(given, parse_augmentations(["flip:1"]), seed=0, epoch=0, samples=[0]), given.flip(3))
    assert torch.equal(augment(given, parse_augmentations(["flip:0"]), seed=0, epoch=0, samples=[0]), given)


def test_shifts_are_by_whole_pixels_up_to_the_limit():
    changes, seen = parse_augmentations(["shift:1"]), set()
    picture = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16, 1).expand(1, 1, 16, 16, 3)
    for epoch in range(60):
        changed = augment(picture, changes, seed=0, epoch=epoch, samples=[0])
        found = [
            (down, right)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if torch.equal(changed[0, 0, 2:-2, 2:-2], picture.roll((down, right), (2, 3))[0, 0, 2:-2, 2:-2])
        ]
        assert len(found) == 1
        seen.add(found[0])
    assert len(seen) == 9


def test_without_changes_nothing_is_copied():
    given = clips()
    assert augment(given, [], seed=0, epoch=0, samples=range(4)) is given


@pytest.mark.parametrize("word", ["melt", "flip:2", "crop:0", "rotate:nan", "shift:-1"])
def test_wrong_words_are_named(word):
    with pytest.raises(UsageError, match=f"--augment {word}"):
        parse_augmentations([word])
