"""``visfeat vocabulary``: the words of a model of SIFT, learned from one's own pictures."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from visfeat.errors import UsageError

WITH_FAILURES = 3


def vocabulary(
    media: Annotated[list[str], Argument(help="Files, folders, globs to learn from.")],
    out: Annotated[Path, Option("--out", "-o", help="The file to write (.safetensors).")],
    model: Annotated[
        str, Option("--model", "-m", help="classic/sift_bow, classic/sift_vlad or classic/sift_fisher.")
    ] = "classic/sift_bow",
    words: Annotated[
        int | None, Option(help="How many words, centers or Gaussians.", show_default="256; vlad and fisher 64")
    ] = None,
    seed: Annotated[int, Option(help="Of what is drawn and where learning begins.")] = 0,
    size: Annotated[int | None, Option(help="Side of the input in pixels, as for extract.")] = None,
    json_: Annotated[bool, Option("--json", help="Print a JSON object, and nothing else.")] = False,
) -> None:
    """Learn the vocabulary of a classic/sift_... model, for visfeat extract MEDIA --model MODEL --weights FILE.

    Exit code 0: done; 3: done, but some files could not be read.
    """
    from visfeat.extraction.learn_words import learn_words

    if out.suffix != ".safetensors":
        raise UsageError(f"--out {out}: a vocabulary's name ends in .safetensors")
    learned = learn_words(media, model=model, words=words, seed=seed, size_px=size)
    found = learned.vocabulary
    found.save(out)
    name = f"classic/{found.model}"
    if json_:
        about = {"path": str(out), "model": name, "words": found.words, "pictures": learned.pictures}
        failures = [{"uri": uri, "reason": reason} for uri, reason in learned.failures]
        print(json.dumps(about | {"digest": found.digest, "failures": failures}))
    else:
        print(f"{out}: {found.words} words for {name}, learned from {learned.pictures} pictures")
        print(f"use it: visfeat extract MEDIA --model {name} --weights {out}")
        for uri, reason in learned.failures:
            print(f"visfeat: {uri}: {reason}", file=sys.stderr)
    raise typer.Exit(WITH_FAILURES if learned.failures else 0)
