"""Questions in every form against stores whose answers are known."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from store_made import LAYER, RECIPE, done, item_of, rows_for, store_with, writer_of
from visfeat.errors import UsageError
from visfeat.media.item import Kind
from visfeat.search import search
from visfeat.search.directions import combined, unit
from visfeat.search.questions import Asking, parted
from visfeat.search.searcher import Passage, Searcher
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import Rows


def direction(degrees):
    radians = np.deg2rad(degrees)
    return np.array([np.cos(radians), np.sin(radians), 0, 0], np.float32)


def store_of_angles(path, degrees, recipe=RECIPE):
    """A store whose rows point into these directions (degrees by URI and position), a row a second."""
    store = FeatureStore.create_or_open(path)
    with writer_of(store, recipe) as writer:
        for uri, angles in degrees.items():
            item = item_of(uri, kind=Kind.IMAGE if len(angles) == 1 else Kind.VIDEO)
            made = rows_for(item, range(len(angles)))
            values = 3 * np.stack([direction(angle) for angle in angles])
            starts = made.start_s * 2
            writer.add(Rows(item.content_hash, LAYER.layer, 0, values, starts, starts + 0.04, made.frame_index))
            writer.finish(done(item), len(angles))
    return store


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    degrees = {
        "/a.png": [0],
        "/b.png": [30],
        "/v.mp4": [170, 120, 22, 20, 25, 90, 170],
        "/w.mp4": [100, 101, 102],
        "/z.png": [170],
    }
    return store_of_angles(tmp_path_factory.mktemp("answers") / "s", degrees)


def test_an_item_is_answered_by_others_and_by_passages(store):
    answer = search(store, item="/a.png", k=3)
    cosines = np.cos(np.deg2rad([20, 30, 100]))
    assert [(one.uri, one.start_s, one.end_s, one.at_s) for one in answer.passages] == [
        ("/v.mp4", 2.0, 5.0, 3.0),
        ("/b.png", None, None, None),
        ("/w.mp4", 0.0, 1.0, 0.0),  # less alike than most of the store: no passage
    ]
    np.testing.assert_allclose([one.score for one in answer.passages], cosines, atol=1e-6)
    assert answer.rows == 13
    assert [(shown.name, shown.at_s, shown.wanted) for shown in answer.shown] == [("/a.png", None, True)]


def test_a_vector_answers_with_the_item_itself(store, tmp_path):
    best = search(store, vector=7 * direction(0), k=1).passages[0]
    assert best == Passage("/a.png", None, None, None, pytest.approx(1.0))
    np.save(tmp_path / "q.npy", direction(101))
    best = search(store, vector=tmp_path / "q.npy", k=1).passages[0]
    assert (best.uri, best.at_s) == ("/w.mp4", 1.0)
    both = search(store, vector=np.stack([direction(10), direction(40)]), k=1).passages[0]
    assert both.score == pytest.approx(np.cos(np.deg2rad(0)), abs=1e-6)  # a row at 25


def test_a_moment_of_a_stored_video_does_not_answer_with_its_own_passage(store):
    found = search(store, item="/v.mp4", at_s=3.5, k=9).passages
    assert found[0].uri == "/b.png"
    own = [(one.start_s, one.end_s) for one in found if one.uri == "/v.mp4"]
    assert all(not start <= 3.0 < end for start, end in own)
    assert search(store, item="/v.mp4#t=3.5", k=9).passages == found
    whole = search(store, item="/v.mp4", k=9).passages
    assert "/v.mp4" not in {one.uri for one in whole}


def test_what_is_not_wanted_is_subtracted(store):
    expected = direction(15) - 0.5 * direction(60)
    expected /= np.linalg.norm(expected)
    np.testing.assert_allclose(combined([direction(15)], [direction(60)]), expected, atol=1e-6)
    with pytest.raises(UsageError, match="zeros has no direction"):
        combined([direction(0), direction(180)])


def test_conditions_choose_who_may_answer(store):
    answer = search(store, item="/a.png", where="kind = 'image' and uri <> '/b.png'", k=5)
    assert [one.uri for one in answer.passages] == ["/z.png"]
    assert answer.rows == 2
    assert search(store, item="/a.png", where="kind = 'other'").passages == []
    with pytest.raises(UsageError, match="the columns are uri, kind"):
        search(store, item="/a.png", where="kinds = 'image'")


def test_more_than_there_is_gives_all_and_says_so(store):
    lines = []
    assert len(search(store, item="/a.png", k=10**20).passages) == 4
    found = search(store, item="/a.png", k=99, report=lines.append).passages
    assert len(found) == 4
    assert lines == ["-k 99: there are 4 answers in 13 rows; all are given"]


def test_copies_answer_each_by_its_name(tmp_path):
    store = store_of_angles(tmp_path / "s", {"/a.png": [0], "/b.png": [50]})
    with writer_of(store) as writer:
        writer.note(done(item_of("/copy.png", "/a.png")))
    assert [one.uri for one in search(store, item="/a.png").passages] == ["/copy.png", "/b.png"]


@pytest.mark.parametrize("hold", [True, False])
def test_a_searcher_held_in_memory_answers_the_same(store, hold):
    reader = store.reader()
    asking = Asking(store, reader)
    asking.vector(direction(21))
    found = Searcher(reader, hold=hold).search(asking.question(), 3)
    expected = search(store, vector=direction(21), k=3).passages
    assert [(one.uri, one.start_s, one.end_s, one.at_s) for one in found] == [
        (one.uri, one.start_s, one.end_s, one.at_s) for one in expected
    ]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in expected], atol=1e-6)
    assert (expected[0].uri, expected[0].start_s, expected[0].end_s) == ("/v.mp4", 2.0, 5.0)
    assert search(store, vector=direction(101), k=1).passages[0].end_s == pytest.approx(2.04)  # the end of its last row


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ({}, "nothing to search for: give --image, --video, --item, --vector or --text"),
        ({"item": "/nope.png"}, "the store has no features of it"),
        ({"item": "/a.png", "at_s": 1.0}, "an image has no moment at 1 s"),
        ({"item": "/v.mp4#t=x"}, "'x' is not a duration"),
        ({"item": "/v.mp4", "at_s": 70.0}, "no row at 70 s"),
        ({"at_s": 1.0, "vector": direction(0)}, "--at: belongs to one --item"),
        ({"vector": np.ones(5)}, "a vector of 5 values; those of the store have 4"),
        ({"vector": np.array([1, np.nan, 0, 0])}, "not finite"),
        ({"vector": np.zeros(4)}, "zeros has no direction"),
        ({"vector": "/no/such.npy"}, "--vector /no/such.npy: cannot be read"),
        ({"item": "/a.png", "k": 0}, "-k 0: at least 1"),
        ({"item": "/a.png", "recipe": "nope"}, "no features of recipe nope; it has:.*model fake/net, layer pool"),
        ({"item": "/a.png", "layer": "fc"}, "no features of layer fc; it has:"),
        ({"text": "a cat"}, "fake/net has no text tower; models of open_clip have"),
    ],
)
def test_what_cannot_be_asked(store, question, message):
    with pytest.raises(UsageError, match=f"(?s){message}"):
        search(store, **question)


def test_vector_files_that_hold_no_vector(store, tmp_path):
    (tmp_path / "text.npy").write_text("no array")
    np.save(tmp_path / "words.npy", np.array(["a"]))
    np.save(tmp_path / "none.npy", np.empty((0, 4), np.float32))
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    for name in ("text.npy", "words.npy", "none.npy", "objects.npy"):
        with pytest.raises(UsageError, match=name):
            search(store, vector=tmp_path / name)


def test_empty_stores(tmp_path):
    empty = FeatureStore.create_or_open(tmp_path / "empty")
    with pytest.raises(UsageError, match="holds no features yet"):
        search(empty, vector=direction(0))
    without = store_with(tmp_path / "without", {})
    with pytest.raises(UsageError, match="has no rows of recipe"):
        search(without, vector=direction(0))


def test_moments_behind_a_path(tmp_path):
    assert parted("a.mp4#t=npt:12.5") == ("a.mp4", 12.5)
    assert parted("a.mp4") == ("a.mp4", None)
    odd = tmp_path / "x#t=3.png"
    Image.new("RGB", (4, 4)).save(odd)
    assert parted(odd) == (str(odd), None)
    with pytest.raises(UsageError, match="a.mp4#t=1,2"):
        parted("a.mp4#t=1,2")


def test_directions_have_unit_length_whatever_their_scale():
    np.testing.assert_allclose(unit(np.array([3e18, 4e18], np.float32), subject="x"), [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(unit(np.array([[3e-30], [4e-30]]), subject="x"), [0.6, 0.8], rtol=1e-6)
