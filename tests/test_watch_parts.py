"""The parts of a watch: what the store knows, what an event is, whom it is told."""

from __future__ import annotations

import itertools
import socket
import socketserver
import sys
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servers_made import http_receiver, serving
from store_made import FACTS, LAYER, RECIPE, done, item_of, store_with
from visfeat.errors import UsageError
from visfeat.media.item import Kind
from visfeat.store.feature_store import FeatureStore
from visfeat.store.records import LayerShape, Rows
from visfeat.streaming.alarms import Alarms, filled, split_command
from visfeat.streaming.events import Events, Moment
from visfeat.streaming.known import Known


def store_of(path, videos, *, every_s=5.0, shape=(3,)) -> FeatureStore:
    """A store of videos (uri -> vectors), a row each ``every_s`` seconds."""
    store = FeatureStore.create_or_open(path)
    with store.writer(RECIPE, layers=[LayerShape("pool", shape)], facts=FACTS, card_toml="") as writer:
        for uri, vectors in videos.items():
            item, count = item_of(uri, kind=Kind.VIDEO), len(vectors)
            starts = np.arange(count) * every_s
            values = np.array(vectors, np.float32)
            writer.add(Rows(item.content_hash, "pool", 0, values, starts, starts + 1, np.arange(count)))
            writer.finish(done(item), count)
    return store


def cosine(a, b) -> float:
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def test_scores_are_cosines_with_every_distinct_row(tmp_path):
    vectors = [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    known = Known(store_of(tmp_path / "s.vf", {"a": vectors}).reader())
    scores = known.scores(np.array([2.0, 0, 0]))
    assert scores == pytest.approx([1, 2**-0.5, 0])
    assert [(one.uri, one.start_s, round(one.score, 4)) for one in known.described(scores, 2)] == [
        ("a", 0.0, 1.0),
        ("a", 5.0, 0.7071),
    ]


def test_copies_are_known_once(tmp_path):
    store = store_with(tmp_path / "s.vf", {"a": 3, "b": 2})
    with store.writer(RECIPE, layers=[LAYER], facts=FACTS, card_toml="") as writer:
        writer.note(done(item_of("copy of a", content="a", kind=Kind.VIDEO)))
    reader = store.reader()
    assert (len(reader), len(Known(reader))) == (8, 5)


def test_the_usual_score_is_the_percentile_of_nearest_rows_of_other_scenes(tmp_path):
    rng = np.random.default_rng(0)
    videos = {uri: rng.normal(1, 1, (20, 3)) for uri in ("a", "b")}
    known = Known(store_of(tmp_path / "s.vf", videos).reader())
    moments = [(uri, 5.0 * n, vector) for uri, vectors in videos.items() for n, vector in enumerate(vectors)]
    nearest = [
        max(
            cosine(vector, other)
            for other_uri, other_s, other in moments
            if other_uri != uri or abs(other_s - start_s) >= 10
        )
        for uri, start_s, vector in moments
    ]
    for percent in (0, 1, 50, 100):
        assert known.usual_score(percent) == pytest.approx(np.percentile(nearest, percent), abs=1e-5)


def test_images_are_other_scenes_whatever_their_times(tmp_path):
    known = Known(store_with(tmp_path / "s.vf", {"a": 1, "b": 1}).reader())
    assert known.usual_score() == pytest.approx(cosine(*known.directions), abs=1e-6)


def test_a_single_scene_says_nothing_of_what_is_usual(tmp_path):
    known = Known(store_of(tmp_path / "s.vf", {"a": [[1, 0, 0], [0, 1, 0]]}).reader())
    with pytest.raises(UsageError, match="--threshold"):
        known.usual_score()


def test_the_usual_likeness_leaves_the_example_out(tmp_path):
    vectors = [[1, 0, 0], [1, 1, 0], [1, 3, 0]]
    known = Known(store_of(tmp_path / "s.vf", {"a": vectors}).reader())
    others = [cosine([1, 0, 0], vector) for vector in vectors[1:]]
    assert known.usual_likeness(np.array([1.0, 0, 0]), 50) == pytest.approx(np.percentile(others, 50), abs=1e-6)


def told(scores, *, threshold=0.5, above=False, hold_s=3.0):
    events = Events(threshold, above=above, hold_s=hold_s)
    changes = [change for n, score in enumerate(scores) for change in events.feed(Moment(n, n + 1, score))]
    return [(phase, e.start_s, e.end_s, e.worst.start_s, e.moments) for phase, e in [*changes, *events.finish()]]


def test_one_intruder_is_one_event():
    #       0    1    2    3    4    5    6    7    8    9
    assert told([0.9, 0.4, 0.6, 0.2, 0.9, 0.9, 0.9, 0.9, 0.9, 0.1]) == [
        ("begin", 1, 2, 1, 1),
        ("end", 1, 4, 3, 2),
        ("begin", 9, 10, 9, 1),
        ("end", 9, 10, 9, 1),
    ]


def test_like_is_at_least_the_threshold_and_unlike_is_below_it():
    assert told([0.5], above=True) != []
    assert told([0.5], above=False) == []
    assert told([0.6, 0.8, 0.7], above=True)[-1] == ("end", 0, 3, 1, 3)


@given(st.lists(st.floats(0, 1, width=16), max_size=60), st.integers(0, 6))
def test_events_hold_every_moment_beyond_the_threshold_once(scores, hold_s):
    changes = told(scores, hold_s=float(hold_s))
    assert [phase for phase, *_ in changes] == ["begin", "end"] * (len(changes) // 2)
    ends = [change for change in changes if change[0] == "end"]
    inside = [list(range(int(start), int(end))) for _, start, end, *_ in ends]
    beyond = [n for n, score in enumerate(scores) if score < 0.5]
    assert sum(moments for *_, moments in ends) == len(beyond)
    assert set(beyond) <= {n for span in inside for n in span}
    for (_, _, end_s, _, _), (_, start_s, _, _, _) in itertools.pairwise(ends):
        assert start_s - end_s >= max(hold_s, 1)
    for (_, _, _, worst_s, _), span in zip(ends, inside, strict=True):
        assert scores[int(worst_s)] == min(scores[n] for n in span)


DOCUMENT = {"phase": "begin", "time_s": 12.5, "score": 0.25, "start_s": 12.0, "end_s": 13.0, "source": "a b; rm"}


def test_placeholders_are_filled_word_by_word_without_a_shell():
    words = split_command("say '{time_s} s' {score} --from={source} {start_s}{end_s}")
    assert [filled(word, DOCUMENT) for word in words] == ["say", "12.5 s", "0.25", "--from=a b; rm", "1213"]


@pytest.mark.parametrize(
    ("command", "match"), [("say {when}", "no {when}; there are {time_s}"), ("say 'x", "quot"), ("", "empty")]
)
def test_a_command_that_cannot_be_run_is_refused(command, match):
    with pytest.raises(UsageError, match=match):
        split_command(command)


@pytest.mark.parametrize(
    "url", ["ftp://a/b", "file:///etc/passwd", "a.example", "http://", "http://a:b/", "http://[1", "http://a/b c"]
)
def test_a_webhook_is_an_http_address(url):
    with pytest.raises(UsageError, match="--webhook"):
        Alarms(command=None, webhook=url, report=print)


def test_the_webhook_gets_everything_and_the_command_beginnings(tmp_path):
    posted, lines = [], []
    script = tmp_path / "note.py"
    script.write_text("import sys; open(sys.argv[1], 'a').write(' '.join(sys.argv[2:]) + '\\n')")
    command = f"{sys.executable} {script} {tmp_path / 'noted'} {{time_s}} {{score}}"
    with (
        serving(http_receiver(posted)) as port,
        Alarms(command=command, webhook=f"http://127.0.0.1:{port}/hook", report=lines.append) as alarms,
    ):
        alarms.send(DOCUMENT)
        alarms.send(DOCUMENT | {"phase": "end"})
        alarms.close()
    assert [one["phase"] for one in posted] == ["begin", "end"]
    assert posted[0] == DOCUMENT
    assert (tmp_path / "noted").read_text() == "12.5 0.25\n"
    assert lines == []


def test_what_fails_is_reported_and_ends_nothing():
    lines = []
    with serving(http_receiver([], status=500)) as port:
        with Alarms(command="/no/such/program", webhook=f"http://127.0.0.1:{port}/", report=lines.append) as alarms:
            alarms.send(DOCUMENT)
        with Alarms(command=f"{sys.executable} -c exit(4)", webhook=None, report=lines.append) as alarms:
            alarms.send(DOCUMENT)
    with Alarms(command=None, webhook="http://me:secret@127.0.0.1:1/", report=lines.append) as alarms:
        alarms.send(DOCUMENT)
    assert lines[0] == "the webhook at 127.0.0.1 answered 500"
    assert lines[1] == "/no/such/program: cannot be run (No such file or directory)"
    assert lines[2].endswith("ended with exit code 4")
    assert lines[3].startswith("the webhook at 127.0.0.1 cannot be reached")
    assert not any("secret" in line for line in lines)


def test_a_webhook_that_answers_nonsense_does_not_silence_the_command(tmp_path):
    class Nonsense(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"hello\r\n\r\n")

    lines = []
    command = f'{sys.executable} -c \'open("{tmp_path / "ran"}", "w")\''
    with (
        serving(socketserver.TCPServer(("127.0.0.1", 0), Nonsense)) as port,
        Alarms(command=command, webhook=f"http://127.0.0.1:{port}/", report=lines.append) as alarms,
    ):
        alarms.send(DOCUMENT)
    assert [line.partition(" (")[0] for line in lines] == ["the webhook at 127.0.0.1 cannot be reached"]
    assert (tmp_path / "ran").exists()


def test_what_is_given_up_in_the_end_is_reported():
    lines = []
    with (
        socket.create_server(("127.0.0.1", 0)) as deaf,
        Alarms(
            command=None,
            webhook=f"http://127.0.0.1:{deaf.getsockname()[1]}/",
            report=lines.append,
            farewell_s=0.2,
        ) as alarms,
    ):
        alarms.send(DOCUMENT)
        alarms.close()
        assert lines == ["alarms were dropped: the command or the webhook did not come to an end"]


def test_alarms_do_not_hold_up_who_sends_them():
    started_s = time.monotonic()
    alarms = Alarms(command=f"{sys.executable} -c 'import time; time.sleep(1)'", webhook=None, report=print)
    alarms.send(DOCUMENT)
    assert time.monotonic() - started_s < 0.5
    alarms.close()
