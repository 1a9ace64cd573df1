"""Classification of a store: fit, predict, report, and what is kept in files and in the store."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file, save_file

from classify_made import CENTERS, WIDTH, around, pictures, store_of_rows
from test_cli import run
from visfeat.classify.card import ARRAYS, CARD, RECIPE
from visfeat.classify.classifier import Classifier, of_item
from visfeat.classify.fitting import MOST_TRIED_ROWS, fit, learn, read_examples
from visfeat.classify.predicting import RowClassifier, predict, predict_rows
from visfeat.classify.reporting import cross_validate, report
from visfeat.errors import ModelError, UsageError
from visfeat.labels import read_labels
from visfeat.recipe import Recipe
from visfeat.store.labels import LabelSource, predicted_labels


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("stores") / "s.vf", 20, spread=0.8)


@pytest.fixture(scope="module")
def classifier(store):
    return fit(store, read_labels("folders", store))


@pytest.mark.parametrize("method", ["linear", "knn"])
def test_new_rows_of_the_same_classes_are_told(store, method):
    found = fit(store, read_labels("folders", store), method=method)
    assert found.card.folds == 5
    assert found.card.held_out["top1"] > 0.9
    assert found.card.calibration == "temperature"
    assert found.card.notes == ()
    values = np.concatenate([around(name, 50, seed=9, spread=0.8) for name in CENTERS])
    shares = found.probabilities(values)
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    assert (shares.argmax(axis=1) == np.repeat(range(3), 50)).mean() > 0.9


def test_probabilities_are_calibrated(tmp_path):
    # Classes that overlap: what is said with 60% must be right in 60%.
    overlapping = pictures(tmp_path / "s.vf", 150, spread=2.0)
    for method in ("linear", "knn"):
        found = fit(overlapping, read_labels("folders", overlapping), method=method)
        values = np.concatenate([around(name, 2000, seed=7, spread=2.0) for name in CENTERS])
        shares, truth = found.probabilities(values), np.repeat(range(3), 2000)
        confidence, right = shares.max(axis=1), shares.argmax(axis=1) == truth
        for low in (0.4, 0.6, 0.8):
            inside = (confidence >= low) & (confidence < low + 0.2)
            assert abs(confidence[inside].mean() - right[inside].mean()) < 0.08


def test_a_classifier_comes_back_from_its_folder_and_says_what_it_is(classifier, store, tmp_path):
    folder = classifier.save(tmp_path / "c")
    assert sorted(path.name for path in folder.iterdir()) == [ARRAYS, CARD, RECIPE]
    assert Recipe.from_toml(folder / RECIPE).digest == store.recipes()[0].digest
    again = Classifier.load(folder)
    values = around("cat", 5, seed=1)
    assert (again.probabilities(values) == classifier.probabilities(values)).all()
    card = tomllib.loads((folder / CARD).read_text())
    assert card["recipe_digest"] == store.recipes()[0].digest
    assert Recipe(**card["recipe"]).digest == card["recipe_digest"]
    assert card["groups_of_class"] == {"cat": 20, "dog": 20, "owl": 20}
    classifier.save(folder)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(UsageError, match="no classifier; choose another folder"):
        classifier.save(tmp_path / "mine")


def without_scikit_learn(code):
    """Run code in an interpreter that has neither scikit-learn nor what comes with it."""
    hidden = "import sys\nfor name in ('sklearn', 'scipy', 'threadpoolctl'): sys.modules[name] = None\n"
    return subprocess.run([sys.executable, "-c", hidden + code], capture_output=True, text=True, check=False)


def test_predicting_needs_no_scikit_learn(classifier, tmp_path):
    folder = classifier.save(tmp_path / "c")
    code = (
        "import numpy as np\nfrom visfeat.classify import Classifier\n"
        f"print(Classifier.load({str(folder)!r}).probabilities(np.zeros((2, {WIDTH}))).shape)"
    )
    assert without_scikit_learn(code).stdout.strip() == "(2, 3)"


def test_fitting_without_scikit_learn_says_which_extra_it_needs(store):
    arguments = ["classify", "fit", str(store.path), "--labels", "folders"]
    done = without_scikit_learn(f"from visfeat.cli.main import main\nmain({arguments})")
    assert done.returncode == 1
    assert "pip install 'visfeat[use]'" in done.stderr
    assert "MissingExtra" in without_scikit_learn("import visfeat.sklearn").stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('method = "linear"', 'method = "pickle"', "method"),
        ("format = 1", "format = 2", "newer than this visfeat"),
        ("dimension = 8", "dimension = 9", "weight must have the shape"),
        ("temperature = ", "temperature = -", "temperature"),
        ('"cat"', '"dog"', "named twice"),
        ("folds = 5", "folds = 5\nextra = 1", "extra"),
        ("format = 1", "format = ", "cannot be read"),
        ("arrays_digest = ", 'arrays_digest = "0" # ', "is not the file that"),
    ],
)
def test_a_damaged_card(classifier, tmp_path, old, new, said):
    folder = classifier.save(tmp_path / "c")
    text = (folder / CARD).read_text()
    assert old in text
    (folder / CARD).write_text(text.replace(old, new, 1))
    with pytest.raises(ModelError, match=said):
        Classifier.load(folder)


def test_damaged_arrays_and_no_classifier(classifier, tmp_path):
    folder = classifier.save(tmp_path / "c")
    arrays = load_file(folder / ARRAYS)
    save_file(arrays | {"bias": np.full(3, np.nan, np.float32)}, folder / ARRAYS)
    with pytest.raises(ModelError, match="does not hold finite numbers"):
        Classifier.load(folder)
    (folder / ARRAYS).write_bytes(b"\x80\x04pickled")
    with pytest.raises(ModelError, match="not a file of safetensors"):
        Classifier.load(folder)
    (folder / ARRAYS).unlink()
    with pytest.raises(ModelError, match="no such file"):
        Classifier.load(folder)
    with pytest.raises(ModelError, match="no classifier, it has no"):
        Classifier.load(tmp_path)


def test_vectors_that_are_not_its_own(classifier):
    with pytest.raises(UsageError, match=r"shape \(2, 9\) are not those of fake/net"):
        classifier.probabilities(np.zeros((2, 9)))
    with pytest.raises(UsageError, match="not finite"):
        classifier.probabilities(np.full((2, WIDTH), np.inf))


def test_predictions_are_kept_by_content_and_replaced_by_name(classifier, tmp_path):
    rows = {f"/x/{n}.png": around(name, 1, seed=n, spread=0.1) for n, name in enumerate(CENTERS)}
    rows["/x/copy.png"] = rows["/x/0.png"]
    other = store_of_rows(tmp_path / "s.vf", rows, contents={"/x/copy.png": "/x/0.png"})
    assert predicted_labels(other).num_rows == 0
    assert "labels" not in other.info()
    found = predict(other, classifier, name="animals", top=2)
    assert [(one.uri, one.label, len(one.labels)) for one in found] == [
        ("/x/0.png", "cat", 2),
        ("/x/1.png", "dog", 2),
        ("/x/2.png", "owl", 2),
        ("/x/copy.png", "cat", 2),
    ]
    kept = predicted_labels(other)
    assert kept["uri"].to_pylist() == [one.uri for one in found]
    assert kept["label"].to_pylist() == [one.label for one in found]
    assert kept["probability"].to_pylist() == pytest.approx([one.probability for one in found])
    predict(other, classifier, name="animals")
    assert predicted_labels(other, "animals").num_rows == 4
    predict(other, classifier, name="others", keep=False)
    (about,) = other.info()["labels"]
    assert (about["classifier"], about["contents"], about["classes"], about["most"]["cat"]) == ("animals", 3, 3, 1)


def test_a_video_has_passages_and_an_answer_of_its_own(classifier, tmp_path):
    parts = [around(name, count, seed=n, spread=0.05) for n, (name, count) in enumerate((("cat", 3), ("dog", 6)))]
    other = store_of_rows(tmp_path / "s.vf", {"/x/v.mp4": np.concatenate(parts)})
    whole, cat, dog = predict(other, classifier, name="animals")
    assert (whole.label, whole.start_s, whole.end_s) == ("dog", None, None)
    assert (cat.label, cat.start_s, cat.end_s) == ("cat", 0.0, 3.0)
    assert (dog.label, dog.start_s, dog.end_s) == ("dog", 3.0, pytest.approx(8.04))
    rows = classifier.probabilities(other.features()[0])
    assert cat.probability == pytest.approx(rows[:3, 0].mean())
    assert whole.probability == pytest.approx(rows[:, 1].mean())
    assert predicted_labels(other)["start_s"].to_pylist() == [None, 0.0, 3.0]


def test_heads_are_told_apart(tmp_path):
    other = store_of_rows(tmp_path / "s.vf", {"/x/a.png": np.zeros((1, WIDTH))})
    shares = np.array([[0.3, 0.7, 0.9, 0.1]])
    source = LabelSource("heads", "0", "0", "pool")
    classes = ("color=blue", "color=red", "shape=round", "shape=square")
    by = RowClassifier(source, classes, lambda values: shares, groups=(slice(0, 2), slice(2, 4)))
    (found,) = predict_rows(other, other.spaces()[0], by, top=1)
    assert found.label == "color=red|shape=round"
    assert found.probability == pytest.approx(0.63)


def test_a_store_of_another_recipe(classifier, tmp_path):
    rows = {"/x/a.png": np.zeros((1, WIDTH))}
    other = store_of_rows(tmp_path / "s.vf", rows)
    card = classifier.card.model_copy(update={"recipe_digest": "0" * 16})
    with pytest.raises(UsageError, match="takes rows of recipe 0000000000000000"):
        predict(other, Classifier(card, classifier.scorer), name="x")


def test_one_example_a_class_works_and_says_what_could_not_be_done(tmp_path):
    small = pictures(tmp_path / "s.vf", 1, spread=0.1)
    for method in ("linear", "knn"):
        found = fit(small, read_labels("folders", small), method=method)
        assert found.card.calibration == "none"
        assert "nothing could be held out" in found.card.notes[0]
        assert [found.probabilities(around(name, 1, seed=5, spread=0.1)).argmax() for name in CENTERS] == [0, 1, 2]
    with pytest.raises(UsageError, match="nothing can be held out"):
        cross_validate(small, read_labels("folders", small))


def test_a_class_of_one_example_is_named(tmp_path):
    rows = {f"/x/cat/{n}.png": around("cat", 1, seed=n) for n in range(8)}
    rows |= {f"/x/dog/{n}.png": around("dog", 1, seed=n) for n in range(3)}
    rows["/x/owl/0.png"] = around("owl", 1, seed=0)
    few = store_of_rows(tmp_path / "s.vf", rows)
    notes = fit(few, read_labels("folders", few)).card.notes
    assert "never held out: owl" in notes[0]
    assert "rough: dog" in notes[1]
    found = cross_validate(few, read_labels("folders", few))
    assert found.judged == 11
    assert "one example: owl" in found.notes[0]


def test_one_class_only_and_a_method_that_is_not_there(store, tmp_path):
    one = store_of_rows(tmp_path / "s.vf", {f"/x/cat/{n}.png": around("cat", 1, seed=n) for n in range(3)})
    with pytest.raises(UsageError, match="one class only \\(cat\\)"):
        fit(one, read_labels("folders", one))
    with pytest.raises(UsageError, match="--method forest"):
        fit(store, read_labels("folders", store), method="forest")
    with pytest.raises(UsageError, match="has no features of recipe nope"):
        fit(store, read_labels("folders", store), recipe="nope")


def test_parts_of_videos_are_learned_and_count_once_each(tmp_path):
    rows = {
        f"/x/v{n}.mp4": np.concatenate([around("cat", 4, seed=n), around("dog", 12, seed=100 + n)]) for n in range(6)
    }
    videos = store_of_rows(tmp_path / "s.vf", rows)
    (tmp_path / "l.csv").write_text(
        "uri,label,start_s,end_s\n" + "".join(f"v{n}.mp4,cat,0,4\nv{n}.mp4,dog,4,\n" for n in range(6))
    )
    labels = read_labels(tmp_path / "l.csv", videos)
    examples = read_examples(videos.reader(), labels)
    assert examples.rows.weights[examples.rows.codes == 0].sum() == pytest.approx(96 / 2)
    found = cross_validate(videos, labels)
    assert found.judged == 12
    assert found.rows["top1"].value > 0.9
    assert found.metrics["top1"].value == 1.0


def test_an_items_answer_is_the_mean_at_its_temperature():
    rows = np.array([[0.9, 0.1], [0.6, 0.4]])
    assert of_item(rows[:1], 0.5).tolist() == [0.9, 0.1]
    np.testing.assert_allclose(of_item(rows, 1.0), [0.75, 0.25])
    np.testing.assert_allclose(of_item(rows, 0.5), np.square([0.75, 0.25]) / np.square([0.75, 0.25]).sum())


def test_a_video_of_many_modest_rows_is_sure(tmp_path):
    # Rows that say little each, and agree: their mean is as modest as they are, and right far more often.
    def videos(path, count, seed):
        rng = np.random.default_rng(seed)
        rows = {
            f"/x/{k}/{n}.mp4": 0.3 * CENTERS[k] + rng.normal(size=(30, WIDTH)) for k in CENTERS for n in range(count)
        }
        return store_of_rows(path, rows)

    train, test = videos(tmp_path / "a.vf", 20, 0), videos(tmp_path / "b.vf", 60, 1)
    found = fit(train, read_labels("folders", train))
    assert found.card.item_temperature < 0.5
    judged = report(test, read_labels("folders", test), found, split="all")
    as_they_are = Classifier(found.card.model_copy(update={"item_temperature": 1.0}), found.scorer)
    modest = report(test, read_labels("folders", test), as_they_are, split="all")
    assert judged.metrics["top1"].value > judged.rows["top1"].value + 0.2
    assert judged.metrics["calibration_error"].value < 0.1 < modest.metrics["calibration_error"].value
    assert judged.metrics["log_loss"].value < modest.metrics["log_loss"].value


def test_the_parameter_is_chosen_by_some_of_many_rows(tmp_path):
    rng = np.random.default_rng(0)
    videos = {f"/x/{name}/{n}.mp4": CENTERS[name] + rng.normal(size=(300, WIDTH)) for name in CENTERS for n in range(8)}
    many = store_of_rows(tmp_path / "s.vf", videos)
    found = learn(read_examples(many.reader(), read_labels("folders", many)), method="knn")
    assert found.card.rows == 7200
    assert f"chosen by {-(-MOST_TRIED_ROWS // 300) * 300} of 7200 rows" in found.card.notes[0]


def split_table(path, store):
    """Labels of all items: every third one tests."""
    uris = sorted(store.known_items())
    lines = [f"{uri},{uri.split('/')[-2]},{'test' if n % 3 == 0 else 'train'}" for n, uri in enumerate(uris)]
    path.write_text("uri,label,split\n" + "\n".join(lines))
    return path


def test_report_on_a_split_is_what_counting_gives(tmp_path):
    overlapping = pictures(tmp_path / "s.vf", 30, spread=2.0)
    labels = read_labels(split_table(tmp_path / "l.csv", overlapping), overlapping)
    found = fit(overlapping, labels)
    assert found.card.items == 60
    judged = report(overlapping, labels, found)
    values, table = overlapping.features()
    own = [n for n in range(90) if n % 3 == 0]
    truth = [table["uri"][n].as_py().split("/")[-2] for n in own]
    said = [found.classes[n] for n in found.probabilities(values[own]).argmax(axis=1)]
    assert judged.judged == 30
    assert judged.metrics["top1"].value == pytest.approx(np.mean([a == b for a, b in zip(truth, said, strict=True)]))
    for name, scores in judged.of_class.items():
        right = sum(a == b == name for a, b in zip(truth, said, strict=True))
        assert scores.recall.value == pytest.approx(right / truth.count(name))
        assert scores.precision.value == pytest.approx(right / said.count(name))
        assert scores.recall.low <= scores.recall.value <= scores.recall.high
        assert scores.labels == truth.count(name)
    json.dumps(judged.to_json())


def test_report_of_labels_without_splits_asks(store, classifier):
    labels = read_labels("folders", store)
    with pytest.raises(UsageError, match="say --split all"):
        report(store, labels, classifier)
    assert report(store, labels, classifier, split="all").judged == 60
    with pytest.raises(UsageError, match="--split dev"):
        report(store, labels, classifier, split="dev")


def test_report_of_classes_that_were_not_learned(store, tmp_path):
    labels = read_labels("folders", store)
    two = fit(store, type(labels)("two", tuple(one for one in labels.entries if one.label != "owl")))
    judged = report(store, labels, two, split="all")
    assert judged.of_class["owl"].recall.value == 0
    assert "not learned: owl" in judged.notes[0]


def test_cross_validation_keeps_copies_together(tmp_path):
    # Labels without any sense; each picture is there twice. Whoever lets copies part remembers their labels.
    rng = np.random.default_rng(0)
    rows, contents = {}, {}
    for n in range(40):
        values, name = rng.normal(size=(1, WIDTH)), ("a", "b")[n % 2]
        for copy in range(2):
            rows[f"/x/{name}/{n}-{copy}.png"] = values
            contents[f"/x/{name}/{n}-{copy}.png"] = str(n)
    copies = store_of_rows(tmp_path / "s.vf", rows, contents=contents)
    assert cross_validate(copies, read_labels("folders", copies), method="knn").metrics["top1"].value < 0.75


def test_the_package_has_its_public_names():
    import visfeat.classify

    assert visfeat.classify.fit is fit
    assert all(callable(getattr(visfeat.classify, name)) for name in visfeat.classify.__all__)
    with pytest.raises(AttributeError, match="no attribute 'predictions'"):
        visfeat.classify.predictions  # noqa: B018


def test_commands(capsys, store, tmp_path):
    labels, folder = split_table(tmp_path / "l.csv", store), tmp_path / "animals.classifier"
    code, out, err = run(capsys, "classify", "fit", store.path, "--labels", labels, "--method", "knn", "-o", folder)
    assert (code, err) == (0, "")
    assert "knn, 3 classes, 40 items" in out
    code, out, _ = run(capsys, "classify", "fit", store.path, "--labels", labels, "-o", folder, "--json")
    assert json.loads(out)["method"] == "linear"
    code, out, _ = run(
        capsys, "classify", "predict", store.path, "-c", folder, "--json", "--csv", tmp_path / "deep" / "p.csv"
    )
    found = json.loads(out)
    assert set(found[0]) == {"uri", "start_s", "end_s", "label", "probability", "labels"}
    assert (
        (tmp_path / "deep" / "p.csv").read_text().startswith("uri,start_s,end_s,label,probability\n/data/cat/000.png")
    )
    code, out, _ = run(capsys, "classify", "predict", store.path, "-c", folder)
    assert "and 20 more" in out
    assert run(capsys, "info", store.path)[1].count("animals") == 1
    code, out, _ = run(capsys, "classify", "report", store.path, "--labels", labels, "-c", folder)
    assert "20 labels, the labels of split test" in out
    code, out, _ = run(capsys, "classify", "report", store.path, "--labels", "folders", "--json")
    assert json.loads(out)["how"] == "held out by cross-validation in 5 folds"
    run(capsys, "export", store.path, tmp_path / "out", "--to", "parquet")
    assert pq.read_table(tmp_path / "out" / "labels.parquet").num_rows == 60
    run(capsys, "export", store.path, tmp_path / "out", "--to", "csv")
    assert (tmp_path / "out" / "labels.csv").read_text().count("\n") == 61


def test_commands_that_cannot_be_done_say_so_in_one_line(capsys, store, tmp_path):
    (tmp_path / "l.csv").write_text("uri,label\ncats/0.png,cat\n")
    code, out, err = run(capsys, "classify", "fit", store.path, "--labels", tmp_path / "l.csv", "-o", tmp_path / "c")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "none of its 1 labels matches" in err
    for arguments, said in (
        (("fit", store.path, "--labels", "folders", "--method", "svm"), "there are linear and knn"),
        (("predict", store.path, "-c", tmp_path / "none"), "no classifier"),
        (("report", store.path, "--labels", "folders", "--split", "test"), "name it by --classifier"),
        (("predict", tmp_path / "no.vf", "-c", tmp_path / "none"), "no classifier"),
    ):
        code, _, err = run(capsys, "classify", *arguments)
        assert code in (1, 2)
        assert said in err
