"""Opening an item with the first decoder that accepts it."""

from __future__ import annotations

from visfeat.decode.decoder import DecodeOptions, Decoder
from visfeat.errors import UnsupportedMedia
from visfeat.media.item import MediaItem
from visfeat.plugins import plugins


def open_decoder(item: MediaItem, content: bytes | None = None, options: DecodeOptions | None = None) -> Decoder:
    """The opened item; other packages' decoders are asked first. ``content`` as ``media.identify`` gave it.

    Raises UnsupportedMedia where no decoder accepts it, and MediaError where the one that does cannot open it.
    """
    options = options or DecodeOptions()
    for plugin in plugins("visfeat.decoders").values():
        decoder: type[Decoder] = plugin.load()
        if decoder.accepts(item, options):
            return decoder(item, content, options)
    raise UnsupportedMedia(f"no decoder reads {item.format or 'this kind of file'}")
