"""Near-duplicates: groups of pictures that show the same, and passages of videos that were copied into others.

``visfeat.dedupe.run.dedupe`` is the whole; ``pairs`` finds what is alike, ``groups`` and ``align`` make groups and
passages of it, ``plan`` writes down what could be done about them. Nothing here deletes a file.
"""
