"""The 1000 class names of ImageNet-1k, as timm knows them."""

from __future__ import annotations

from functools import lru_cache

IMAGENET_CLASSES = 1000


@lru_cache(maxsize=1)
def imagenet_names() -> tuple[str, ...]:
    """The synonyms of each class in the order of the network's outputs ("tench, Tinca tinca", ...)."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo()
    return tuple(info.index_to_description(index) for index in range(IMAGENET_CLASSES))


def class_names(num_classes: int) -> tuple[str, ...]:
    """ImageNet's names for a thousand classes, else none: a different number of classes are other classes."""
    return imagenet_names() if num_classes == IMAGENET_CLASSES else ()
