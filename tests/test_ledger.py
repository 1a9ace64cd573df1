"""The ledger: one extraction a content, outcomes told once, after all rows."""

from __future__ import annotations

from visfeat.extraction.ledger import Finished, Ledger
from visfeat.media.item import Kind, MediaItem
from visfeat.store.records import Status


def item(uri: str, content: str = "h") -> MediaItem:
    return MediaItem(uri, 1, 1, kind=Kind.IMAGE, content_hash=content)


def ledger(outcomes=None) -> tuple[Ledger, list[Finished]]:
    told: list[Finished] = []
    return Ledger(outcomes or {}, told.append), told


def test_copies_wait_for_the_first_and_share_its_outcome():
    book, told = ledger()
    job = book.claim(item("/a"))
    assert job is not None
    assert book.claim(item("/b")) is None
    assert book.emitted(job) == 0
    book.decoded(job)
    assert told == []
    book.delivered(job, 1)
    assert book.claim(item("/c")) is None
    assert [(each.record.item.uri, each.record.status, each.num_rows) for each in told] == [
        ("/a", Status.DONE, 1),
        ("/b", Status.DONE, 1),
        ("/c", Status.DONE, 1),
    ]


def test_delivery_before_the_end_of_decoding_does_not_finish():
    book, told = ledger()
    job = book.claim(item("/a"))
    assert job is not None
    for _ in range(3):
        book.emitted(job)
    book.delivered(job, 3)
    assert told == []
    book.decoded(job, "it ends at 3 s")
    ((record, rows),) = [(each.record, each.num_rows) for each in told]
    assert (record.status, record.reason, rows) == (Status.PARTIAL, "it ends at 3 s", 3)


def test_a_failure_counts_no_rows():
    book, told = ledger()
    job = book.claim(item("/a"))
    assert job is not None
    book.emitted(job)
    book.failed(job, "broken")
    book.failed(job, "and again")
    book.decoded(job)
    book.delivered(job, 1)
    assert [(each.record.status, each.record.reason, each.num_rows) for each in told] == [(Status.FAILED, "broken", 0)]


def test_no_row_at_all_is_a_failure():
    book, told = ledger()
    job = book.claim(item("/a"))
    assert job is not None
    book.decoded(job)
    assert told[0].record.status is Status.FAILED
    assert told[0].record.reason == "no frame to extract"


def test_a_content_that_failed_before_is_tried_again():
    book, _ = ledger({"done": Status.DONE, "failed": Status.FAILED})
    assert book.known("done") is Status.DONE
    assert book.known("failed") is None
    assert book.known("new") is None
