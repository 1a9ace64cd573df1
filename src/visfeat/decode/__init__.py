"""Decoders: items become frames, upright 8-bit RGB with square pixels, in presentation order with exact times."""

from __future__ import annotations

from visfeat.decode.decoder import DEFAULT_MAX_PIXELS, DecodeOptions, Decoder
from visfeat.decode.open import open_decoder

__all__ = ["DEFAULT_MAX_PIXELS", "DecodeOptions", "Decoder", "open_decoder"]
