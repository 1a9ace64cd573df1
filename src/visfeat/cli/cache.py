"""``visfeat cache``: the packed models kept on disk."""

from __future__ import annotations

import typer

cache_app = typer.Typer(help="Packed models kept on disk.", no_args_is_help=True)


@cache_app.command()
def show() -> None:
    """Say where the cache is and how large."""
    from visfeat.models.cache import cache_folder, cache_size_bytes

    print(f"{cache_folder()}: {cache_size_bytes() / 1e6:.1f} MB")


@cache_app.command()
def clear() -> None:
    """Delete the cached models; they are packed again when they are next asked for."""
    from visfeat.models.cache import cache_folder, clear_cache

    print(f"{cache_folder()}: {clear_cache() / 1e6:.1f} MB deleted")
