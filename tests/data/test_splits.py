from pathlib import Path

import numpy as np
import pytest

from crosscale.data import splits as protocols
from crosscale.data.splits import folds, split, usual, validation
from crosscale.errors import CrosscaleError


@pytest.fixture
def ntu60(clip, stored):
    """Subjects 1 to 6 under cameras 1 to 3; subjects 3 and 6 belong to the test of xsub."""
    clips = [
        clip(f"s{s}c{c}", label="A001", subject=s, camera=c)
        for s in range(1, 7)
        for c in range(1, 4)
    ]
    return stored(*clips, name="ntu60")


def names(store, rows: np.ndarray) -> list[str]:
    return [store.names[i] for i in rows]


def test_published_lists_have_their_published_sizes():
    rules = protocols.PUBLISHED
    assert len(rules["ntu60"]["xsub"].train) == 20
    assert len(rules["ntu120"]["xsub"].train) == 53
    assert len(rules["ntu120"]["xset"].train) == 16
    assert max(rules["ntu120"]["xset"].train) == 32


def test_xsub_trains_on_the_published_subjects(ntu60):
    parts = split(ntu60, "xsub")
    assert {n[:2] for n in names(ntu60, parts.train)} == {"s1", "s2", "s4", "s5"}
    assert {n[:2] for n in names(ntu60, parts.tests["official"])} == {"s3", "s6"}
    assert list(parts.tests) == ["official"]


def test_xview_trains_on_cameras_two_and_three(ntu60):
    parts = split(ntu60, "xview")
    assert {n[2:] for n in names(ntu60, parts.train)} == {"c2", "c3"}
    assert {n[2:] for n in names(ntu60, parts.tests["official"])} == {"c1"}


def test_xset_trains_on_even_setups(clip, stored):
    store = stored(*(clip(f"p{i}", label="a", setup=i) for i in range(1, 9)), name="ntu120")
    parts = split(store, "xset")
    assert names(store, parts.train) == ["p2", "p4", "p6", "p8"]
    assert names(store, parts.tests["official"]) == ["p1", "p3", "p5", "p7"]


def test_odd_subjects_train_on_utd_mhad(clip, stored):
    store = stored(*(clip(f"s{i}", label="a", subject=i) for i in range(1, 9)), name="utdmhad")
    assert names(store, split(store, "odd_even").train) == ["s1", "s3", "s5", "s7"]


def test_an_unknown_protocol_is_told_those_that_exist(ntu60):
    expected = r"ntu60\) has no protocol 'xset'; it has xsub, xview, all, random_subjects,"
    with pytest.raises(CrosscaleError, match=expected):
        split(ntu60, "xset")


def test_an_empty_part_is_named_with_what_is_there(clip, stored):
    store = stored(clip("a", label="x", camera=2), clip("b", label="x", camera=3), name="nwucla2")
    with pytest.raises(CrosscaleError, match="has no protocol 'xview'"):
        split(store, "xview")
    store = stored(clip("a", label="x", camera=1), clip("b", label="x", camera=2), name="nwucla")
    with pytest.raises(CrosscaleError, match=r"leaves no test clip .* its cameras are 1, 2"):
        split(store, "xview")


def test_clips_without_the_number_that_decides_are_named(clip, stored):
    store = stored(clip("a", label="x", camera=1), clip("b", label="x"), name="nwucla")
    with pytest.raises(CrosscaleError, match=r"goes by camera, and 1 of 2 .*\(b is the first"):
        split(store, "xview")


def test_a_clip_without_label_may_train_but_not_test(clip, stored):
    clips = [clip(f"{c}{label}", camera=c, label=label) for c in (1, 3) for label in ("x", None)]
    store = stored(*clips, name="nwucla")
    parts = split(store, "xview")
    assert names(store, parts.train) == ["1x", "1None"]
    assert names(store, parts.tests["official"]) == ["3x"]


def test_duplicates_of_training_clips_are_left_out_of_the_leak_free_test(clip, stored):
    store = stored(
        clip("train", label="x", camera=1, seed=7),
        clip("twin", label="x", camera=3, seed=7),
        clip("own", label="x", camera=3, seed=8),
        name="nwucla",
    )
    parts = split(store, "xview")
    assert names(store, parts.tests["official"]) == ["twin", "own"]
    assert names(store, parts.tests["leak_free"]) == ["own"]
    assert next(iter(parts.tests)) == "official"


def test_random_subjects_keeps_each_subject_in_one_part_and_repeats_by_seed(ntu60):
    parts = [split(ntu60, f"random_subjects:{seed}") for seed in range(8)]
    for part in parts:
        trained = {n[:2] for n in names(ntu60, part.train)}
        tested = {n[:2] for n in names(ntu60, part.tests["test"])}
        assert len(trained) == len(tested) == 3
        assert not trained & tested
    assert len({tuple(part.train) for part in parts}) > 1
    np.testing.assert_array_equal(split(ntu60, "random_subjects").train, parts[0].train)


@pytest.mark.parametrize("seed", ["x", "-1", "1.5"])
def test_a_seed_that_is_no_number_is_refused(ntu60, seed: str):
    with pytest.raises(CrosscaleError, match="must be a whole number"):
        split(ntu60, f"random_subjects:{seed}")


def test_random_subjects_needs_two(clip, stored):
    with pytest.raises(CrosscaleError, match="has only subject 4"):
        split(stored(clip("a", label="x", subject=4)), "random_subjects")
    with pytest.raises(CrosscaleError, match="goes by subject, and 1 of 1 clips have none"):
        split(stored(clip("a", label="x"), overwrite=True), "random_subjects")


def test_a_file_of_names_selects_by_name(ntu60, tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("train: [s1c1, s3c2]\ntest:\n- s2c1\n")
    parts = split(ntu60, str(file))
    assert names(ntu60, parts.train) == ["s1c1", "s3c2"]
    assert names(ntu60, parts.tests["test"]) == ["s2c1"]
    assert parts.name == "mine"


def test_names_that_look_like_numbers_stay_names(clip, stored, tmp_path):
    store = stored(clip("0012", label="a"), clip("1e3", label="a"))
    (tmp_path / "mine.yaml").write_text("train: [0012]\ntest: [1e3]\n")
    assert names(store, split(store, str(tmp_path / "mine.yaml")).train) == ["0012"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("train: [s1c1, nobody, noone]\ntest: [s2c1]", "names nobody, noone, not found in"),
        ("train: [s1c1, s2c1]\ntest: [s2c1]", "names s2c1 more than once"),
        ("train: [s1c1]", "must have two lists"),
        ("train: [s1c1]\ntest: []", "must have two lists"),
        ("train: s1c1\ntest: s2c1", "must have two lists"),
        ("s1c1\ns2c1", "must have two lists"),
        ("train: [s1c1\ntest: [s2c1]", r"is not a YAML file \(line 2\)"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_wrong_list_is_refused(ntu60, tmp_path: Path, text: str | None, reason: str):
    file = tmp_path / "mine.yaml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(CrosscaleError, match=reason):
        split(ntu60, str(file))


def test_validation_holds_out_what_the_protocol_keeps_apart(ntu60):
    by_subject = validation(split(ntu60, "xsub"), ntu60)
    trained = {n[:2] for n in names(ntu60, by_subject.train)}
    held = {n[:2] for n in names(ntu60, by_subject.tests["validation"])}
    assert (len(trained), len(held)) == (3, 1)
    assert trained | held == {"s1", "s2", "s4", "s5"}
    by_camera = validation(split(ntu60, "xview"), ntu60)
    assert len({n[2:] for n in names(ntu60, by_camera.tests["validation"])}) == 1


def test_validation_never_touches_the_test(ntu60):
    parts = split(ntu60, "xsub")
    for seed in range(5):
        inner = validation(parts, ntu60, seed=seed)
        rows = np.concatenate([inner.train, inner.tests["validation"]])
        np.testing.assert_array_equal(np.sort(rows), parts.train)


def test_validation_with_one_camera_goes_by_subject_and_else_at_random(clip, stored):
    clips = [clip(f"s{s}", label="x", subject=s, camera=1) for s in (1, 2, 3, 4)]
    store = stored(*clips, clip("t", label="x", subject=9, camera=3), name="nwucla")
    inner = validation(split(store, "xview"), store)
    assert inner.factor == "subject"
    assert (len(inner.train), len(inner.tests["validation"])) == (3, 1)
    clips = [clip(str(i), label="x", camera=1) for i in range(8)]
    store = stored(*clips, clip("t", label="x", camera=3), name="nwucla", overwrite=True)
    inner = validation(split(store, "xview"), store)
    assert inner.factor is None
    assert (len(inner.train), len(inner.tests["validation"])) == (6, 2)


def test_one_clip_cannot_be_cut(clip, stored):
    clips = [clip("a", label="x", camera=1), clip("b", label="x", camera=3)]
    store = stored(*clips, name="nwucla")
    with pytest.raises(CrosscaleError, match="one training clip cannot be cut"):
        validation(split(store, "xview"), store)


def test_a_source_that_comes_in_two_parts_may_be_split_by_them(clip, stored):
    store = stored(*(clip(f"c{i}", label="a", part=("train", "test")[i % 2]) for i in range(4)))
    parts = split(store, "given")
    assert names(store, parts.train) == ["c0", "c2"]
    assert {key: names(store, rows) for key, rows in parts.tests.items()} == {"test": ["c1", "c3"]}
    with pytest.raises(CrosscaleError, match="it has given, all, random_subjects"):
        split(store, "xsub")


def test_a_source_without_parts_is_told(ntu60):
    with pytest.raises(CrosscaleError, match=r"18 of 18 clips belong to none \(s1c1"):
        split(ntu60, "given")


def test_folds_test_every_clip_once_and_keep_a_subject_together(ntu60):
    for protocol, count in (("folds:3", 3), ("leave_one_subject_out", 6)):
        parts = folds(ntu60, protocol)
        assert len(parts) == count
        tested = np.concatenate([part.tests["test"] for part in parts])
        assert sorted(tested) == list(range(len(ntu60)))
        for part in parts:
            train = {n[:2] for n in names(ntu60, part.train)}
            assert train.isdisjoint(n[:2] for n in names(ntu60, part.tests["test"]))
    assert [part.name for part in folds(ntu60, "xsub")] == ["xsub"]


def test_folds_are_of_clips_where_subjects_are_not_known(clip, stored):
    store = stored(*(clip(f"c{i}", label="a") for i in range(11)), name="mine")
    parts = folds(store, usual(store))
    assert [len(part.tests["test"]) for part in parts] == [3, 2, 2, 2, 2]
    with pytest.raises(CrosscaleError, match="goes by subject"):
        folds(store, "leave_one_subject_out")
    for wrong in ("folds:1", "folds:12"):
        with pytest.raises(CrosscaleError, match=r"2 folds or more, and .* has 11 clips"):
            folds(store, wrong)


def test_folds_of_clips_deal_each_class_out_and_leave_unlabelled_clips_to_training(clip, stored):
    labels = ["often"] * 10 + ["seldom"] * 5 + [None] * 4
    store = stored(*(clip(f"c{i}", label=label) for i, label in enumerate(labels)))
    for part in folds(store, "folds"):
        rows = part.tests["test"]
        assert sorted(store.labels[rows]) == [0, 0, 1]
        assert len(part.train) == len(store) - 3


def test_folds_are_as_many_as_there_are_subjects_with_labels_at_most(clip, stored):
    clips = [clip(f"s{i}", label=None if i == 3 else "ab"[i % 2], subject=i) for i in range(4)]
    store = stored(*clips)
    for protocol in ("folds", "leave_one_subject_out"):
        assert [len(part.tests["test"]) for part in folds(store, protocol)] == [1, 1, 1]


def test_what_needs_one_split_says_how_to_get_it_where_folds_are_named(clip, stored):
    store = stored(clip("a", label="x", subject=1), clip("b", label="x", subject=2))
    with pytest.raises(CrosscaleError, match="makes several splits, and one is needed here"):
        split(store, "folds:2")


def test_a_source_that_comes_in_one_part_alone_is_split_as_if_in_none(clip, stored):
    for parts in (("train", "train"), ("train", None)):
        store = stored(*(clip(f"c{i}", part=part) for i, part in enumerate(parts)), name=str(parts))
        assert usual(store) == "folds"


def test_clips_that_folds_separate_from_their_like_are_told(clip, stored):
    clips = [clip(f"c{i}", label="ab"[i % 2], subject=i % 4, seed=i % 7) for i in range(8)]
    store = stored(*clips)  # c0 and c7 are alike, of subjects 0 and 3
    leaked = {part.leaked.tolist()[0] for part in folds(store, "folds:4") if len(part.leaked)}
    assert {store.names[row] for row in leaked} == {"c0", "c7"}
