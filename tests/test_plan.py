"""Planning: what is missing, told by size, time and content."""

from __future__ import annotations

from visfeat.extraction.plan import moved_away, plan
from visfeat.media.item import Kind, MediaItem
from visfeat.store.records import KnownItem, Status


def item(uri: str, size: int = 10, mtime: int = 1) -> MediaItem:
    return MediaItem(uri, size, mtime)


KNOWN = {
    "/done": KnownItem(10, 1, "h1", Kind.IMAGE, Status.DONE),
    "/partial": KnownItem(10, 1, "h2", Kind.VIDEO, Status.PARTIAL),
    "/failed": KnownItem(10, 1, "h3", Kind.IMAGE, Status.FAILED),
    "/unreadable": KnownItem(10, 1, "", None, Status.FAILED),
    "/text": KnownItem(10, 1, "", Kind.IGNORED, Status.IGNORED),
    "/other-recipe": KnownItem(10, 1, "h4", Kind.IMAGE, Status.DONE),
}
OUTCOMES = {"h1": Status.DONE, "h2": Status.PARTIAL, "h3": Status.FAILED}


def todo(*items: MediaItem, redo: bool = False) -> set[str]:
    return {each.uri for each in plan(items, KNOWN, OUTCOMES, redo=redo).todo}


def test_only_what_is_missing_is_done():
    items = [item(uri) for uri in (*KNOWN, "/new")]
    planned = plan(items, KNOWN, OUTCOMES)
    assert {each.uri for each in planned.todo} == {"/failed", "/unreadable", "/other-recipe", "/new"}
    assert planned.known == {Status.DONE: 1, Status.PARTIAL: 1, Status.IGNORED: 1}
    assert planned.total == len(items)


def test_a_changed_size_or_time_is_looked_at():
    assert todo(item("/done", size=11), item("/text", mtime=2)) == {"/done", "/text"}


def test_redo_does_all_media_again():
    planned = plan([item(uri) for uri in KNOWN], KNOWN, OUTCOMES, redo=True)
    assert {each.uri for each in planned.todo} == set(KNOWN) - {"/text"}


def test_a_moved_file_is_the_same_item_and_a_copied_one_is_not(tmp_path):
    here = tmp_path / "here.jpg"
    here.touch()
    known = {
        "/gone/a.jpg": KnownItem(1, 1, "h1", Kind.IMAGE, Status.DONE),
        str(here): KnownItem(1, 1, "h1", Kind.IMAGE, Status.DONE),
        "/gone/b.jpg": KnownItem(1, 1, "h2", Kind.IMAGE, Status.DONE),
    }
    assert moved_away(known, {"/new/a.jpg": "h1"}) == ["/gone/a.jpg"]
    assert moved_away(known, {str(here): "h1"}) == []
    assert moved_away(known, {"/new/c.jpg": "h3"}) == []
