"""Channels between threads."""

from __future__ import annotations

import threading

import pytest

from visfeat.extraction.channel import Aborted, Channel


def test_all_entries_arrive_once_with_several_threads():
    channel: Channel[int] = Channel(3)
    received: list[int] = []
    lock = threading.Lock()

    def read() -> None:
        for entry in channel:
            with lock:
                received.append(entry)

    readers = [threading.Thread(target=read) for _ in range(4)]
    writers = [
        threading.Thread(target=lambda start=start: [channel.put(start + i) for i in range(100)])
        for start in (0, 1000, 2000)
    ]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    channel.close()
    for thread in readers:
        thread.join()
    assert sorted(received) == sorted(start + i for start in (0, 1000, 2000) for i in range(100))


def test_put_waits_for_room():
    channel: Channel[int] = Channel(1)
    channel.put(1)
    thread = threading.Thread(target=channel.put, args=(2,))
    thread.start()
    thread.join(0.05)
    assert thread.is_alive()
    entries = iter(channel)
    assert next(entries) == 1
    thread.join(5)
    assert not thread.is_alive()
    assert next(entries) == 2


def test_abort_wakes_writers_and_readers():
    full: Channel[int] = Channel(1)
    full.put(1)
    empty: Channel[int] = Channel(1)
    woken: list[str] = []

    def write() -> None:
        with pytest.raises(Aborted):
            full.put(2)
        woken.append("writer")

    def read() -> None:
        with pytest.raises(Aborted):
            next(iter(empty))
        woken.append("reader")

    threads = [threading.Thread(target=write), threading.Thread(target=read)]
    for thread in threads:
        thread.start()
    full.abort()
    empty.abort()
    for thread in threads:
        thread.join(5)
    assert sorted(woken) == ["reader", "writer"]
