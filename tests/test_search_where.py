"""Conditions over items choose by their columns, and say what they cannot follow."""

from __future__ import annotations

import pytest

from store_made import done, item_of, store_with, writer_of
from visfeat.errors import UsageError
from visfeat.frames import StreamInfo
from visfeat.media.item import Kind
from visfeat.search.where import matching_uris
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import ItemRecord, Status


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = store_with(tmp_path_factory.mktemp("where") / "s", {"/a.png": 1, "/it's.png": 1, "/v.mp4": 3})
    with writer_of(made) as writer:
        long = item_of("/long.mp4", kind=Kind.VIDEO)
        writer.note(ItemRecord(long, StreamInfo(height=1080, width=1920, duration_s=90.5, codec="h264"), Status.DONE))
        writer.note(done(item_of("/b.png"), Status.FAILED, "broken"))
    return made


@pytest.mark.parametrize(
    ("where", "uris"),
    [
        ("kind = 'video'", {"/v.mp4", "/long.mp4"}),
        ("kind = 'video' and duration_s > 60", {"/long.mp4"}),
        ("not (duration_s > 60)", set()),
        ("duration_s is null and kind = 'video'", {"/v.mp4"}),
        ("uri like '%.png' and status = 'done'", {"/a.png", "/it's.png"}),
        ("uri = '/it''s.png'", {"/it's.png"}),
        ("width * height > 1000000 or status in ('failed')", {"/long.mp4", "/b.png"}),
        ("(kind = 'video') or (uri = '/b.png')", {"/v.mp4", "/long.mp4", "/b.png"}),
        ("uri = ')' or kind = 'video' -- all of them", {"/v.mp4", "/long.mp4"}),
        ("width between 5 and 6 and uri < '/b'", {"/a.png"}),
    ],
)
def test_a_condition_chooses_items(store, where, uris):
    assert matching_uris(store, where) == uris


@pytest.mark.parametrize(
    ("where", "reason"),
    [
        ("durations > 3", "No field named durations"),
        ("foo = 1", "No field named foo; the columns are"),
        ("kind =", "Expected: an expression"),
        ("kind = 'video", "Unterminated string"),
        ("duration_s > 'x'", "could not convert"),
        ("duration_s", "does not return a boolean"),
        ("", "Expected: an expression"),
        ("kind = 'video' duration_s > 60", "no part of it"),
        ("kind = 'video'; drop table media", "no part of it"),
        ("kind = 'video') or (1 = 1", "parenthesis is closed"),
        ("kind = 'video') and what not", "parenthesis is closed"),
    ],
)
def test_a_condition_that_cannot_be_followed_lists_the_columns(store, where, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        matching_uris(store, where)
    message = str(caught.value)
    assert message.startswith("--where ")
    assert "the columns are uri, kind, format, size_bytes," in message
    assert ".rs" not in message
    assert "_rowid" not in message


def test_a_store_without_items_has_none(tmp_path):
    assert matching_uris(FeatureStore.create_or_open(tmp_path / "s"), "kind = 'video'") == set()
