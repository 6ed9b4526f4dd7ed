import pickle

import numpy as np
import pytest
import torch

from crosscale.cli import main
from crosscale.errors import BadCheckpoint, CrosscaleError
from crosscale.models.checkpoint import load_encoders
from crosscale.models.model import load
from crosscale.models.published import check_whole, from_published, to_published
from crosscale.models.published_file import read_published, write_published
from crosscale.transforms.preprocess import PUBLISHED, Preprocess

STREAMS = ("joint", "motion", "bone", "bone_motion@body5", "joint@part10")


@pytest.fixture(scope="module")
def published(make_run):
    return make_run(STREAMS, PUBLISHED, hops="capped", bodies="all")


@pytest.fixture
def file(published, tmp_path):
    path = tmp_path / "made.pt"
    write_published(load_encoders(published), path)
    return path


def _weights(run):
    return {
        f"{stream}/{name}": value
        for stream, encoder in load_encoders(run).encoders.items()
        for name, value in encoder.state_dict().items()
    }


def _same(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def _import(path, out, *more):
    arguments = ["import", "published", str(path), "--out", str(out), "--layout", "kinect20"]
    return main([*arguments, *more])


def test_there_and_back_every_bit_is_the_same(published, file, tmp_path):
    assert _import(file, tmp_path / "run") == 0
    _same(_weights(published), _weights(tmp_path / "run"))
    back = load_encoders(tmp_path / "run")
    assert back.preprocess == PUBLISHED
    write_published(back, tmp_path / "again.pt")
    _same(torch.load(file), torch.load(tmp_path / "again.pt"))


def test_names_are_those_of_the_published_code(file, golden):
    from safetensors.torch import load_file

    own = torch.load(file, weights_only=True)
    prefixes = {name.partition(".")[0] for name in own}
    assert prefixes == {
        "encoder_q", "encoder_q_motion", "encoder_q_bone", "encoder_q_bone_motion_body5",
        "encoder_q_joint_part10",
    }  # fmt: skip
    theirs = load_file(golden / "stgcn_ntu25.safetensors")
    names = {n.removeprefix("weights.") for n in theirs if n.startswith("weights.")}
    names = {name for name in names if not name.startswith("fc.")}
    ours = {n.removeprefix("encoder_q.") for n in own if n.startswith("encoder_q.")}
    assert names <= ours
    # The golden encoder is as wide in its last block as before it, and needs no weights around it.
    assert all(name.startswith("st_gcn_networks.9.residual.") for name in ours - names)


def test_published_weights_survive_both_ways(golden):
    from safetensors.torch import load_file

    numbers = load_file(golden / "stgcn_ntu25.safetensors")
    weights = {
        name.removeprefix("weights."): value
        for name, value in numbers.items()
        if name.startswith("weights.") and not name.startswith("weights.fc.")
    }
    _same(to_published(from_published(weights)), weights)


def test_the_only_encoder_is_encoder_q_and_the_reader_says_which_stream(make_run, tmp_path, capsys):
    run = make_run(("motion",), Preprocess(frames=16, bodies=1), input_norm="axis")
    assert main(["export", "published", str(run), "--out", str(tmp_path / "m.pt")]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert "--stream motion" in line
    given = line.replace("RUN", str(tmp_path / "back")).split()[1:]
    assert main(given) == 0
    back, own = load_encoders(tmp_path / "back"), load_encoders(run)
    assert back.preprocess == own.preprocess
    torch.manual_seed(3)
    x, body_mask = torch.randn(3, 3, 16, 20, 2), torch.tensor([[True, False], [True, True]] * 2)[:3]
    with torch.inference_mode():  # each axis' normalisation is repeated for every joint
        torch.testing.assert_close(
            back.encoders["motion"](x, body_mask), own.encoders["motion"](x, body_mask)
        )


def test_what_only_training_needs_is_left_out_and_told(file, tmp_path, capsys):
    weights = torch.load(file)
    more = {name.replace("encoder_q", "encoder_k"): value for name, value in weights.items()}
    more |= {"queue": torch.zeros(2, 3), "queue_ptr": torch.zeros(1), "queue_motion": torch.ones(1)}
    more |= {"encoder_q.fc.0.weight": torch.zeros(2, 2)}
    torch.save({f"module.{name}": value for name, value in (weights | more).items()}, file)
    assert _import(file, tmp_path / "run") == 0
    told = capsys.readouterr().out
    assert f"left out {len(more)} weights: encoder_k, " in told
    assert "encoder_q.fc, queue, queue_motion, queue_ptr" in told


def test_missing_and_unexpected_weights_are_counted_and_named(file, tmp_path):
    weights = torch.load(file)
    weights["encoder_q_motion.st_gcn_networks.3.surprise"] = torch.zeros(1)
    del weights["encoder_q_motion.A"], weights["encoder_q_motion.data_bn.bias"]
    torch.save(weights, file)
    with pytest.raises(
        BadCheckpoint,
        match=r"stream motion.*\nmissing \(2\): A, data_bn\.bias\nunexpected \(1\): .*surprise$",
    ):
        _run_import(file, tmp_path)
    torch.save({"backbone.conv": torch.zeros(1), "z": torch.zeros(1)}, file)
    with pytest.raises(BadCheckpoint, match=r"unexpected: backbone\.conv, z"):
        read_published(file)


def test_a_file_whose_names_all_begin_otherwise_is_told_so_on_one_short_line(file):
    weights = {f"model.net.{name}": value for name, value in torch.load(file).items()}
    torch.save(weights, file)
    with pytest.raises(BadCheckpoint) as caught:
        read_published(file)
    told = str(caught.value)
    assert f"{len(weights)} unexpected: model.net.encoder_q" in told
    assert f"and {len(weights) - 3} more" in told
    assert "its names would fit without 'model.net.' before them" in told
    assert len(told) < 500
    with pytest.raises(BadCheckpoint) as caught:
        from_published({f"blocks.{i}.weight": torch.zeros(1) for i in range(500)})
    assert len(str(caught.value)) < 200


def test_what_the_joints_are_is_asked_for_and_not_twice(file, tmp_path, capsys):
    words = ["import", "published", str(file), "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "--data STORE" in capsys.readouterr().err
    assert main([*words, "--data", str(tmp_path), "--layout", "ntu25"]) == 2
    assert "leave one of them out" in capsys.readouterr().err


@pytest.mark.parametrize("extra", ["with", "without"])
def test_names_that_differ_by_their_beginning_are_told_in_three_lines(trained, extra):
    weights = trained.encoders["joint"].state_dict()
    longer = {f"module.{name}": value for name, value in weights.items()}
    expected, given = (weights, longer) if extra == "without" else (longer, weights)
    with pytest.raises(BadCheckpoint) as caught:
        check_whole(expected, given, "a.pt")
    first, missing, unexpected = str(caught.value).splitlines()
    assert first == f"a.pt does not fit: its names would, {extra} 'module.' before them"
    assert f"missing ({len(weights)}): " in missing
    assert f"unexpected ({len(weights)}): " in unexpected
    assert unexpected.endswith(f" and {len(weights) - 3} more")


def _run_import(file, tmp_path):
    from crosscale.cli.export import import_published

    import_published(file, out=tmp_path / "run", layout="kinect20")


def test_another_layout_does_not_fit(file, tmp_path, capsys):
    arguments = ["import", "published", str(file), "--out", str(tmp_path / "r"), "--layout=ntu25"]
    assert main(arguments) == 2
    assert ": A (3, 20, 20) instead of (3, 25, 25), " in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


class _Trap:
    def __reduce__(self):
        return (print, ("the trap was run",))


def test_nothing_in_a_file_is_run(tmp_path, capsys):
    plain = tmp_path / "plain.pt"
    plain.write_bytes(pickle.dumps({"encoder_q.A": _Trap()}))
    packed = tmp_path / "packed.pt"
    torch.save({"encoder_q.A": _Trap()}, packed)
    for path in (plain, packed):
        assert _import(path, tmp_path / "run") == 2
        found = capsys.readouterr()
        assert "nothing in it was run" in found.err
        assert "trap" not in found.out


@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_a_truncated_file_is_told(file, share):
    file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])
    with pytest.raises(BadCheckpoint, match="is not a whole file of tensors"):
        read_published(file)


def test_other_things_than_tensors_are_refused(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "a.pt")
    with pytest.raises(BadCheckpoint, match="other than a dictionary of tensors"):
        read_published(tmp_path / "a.pt")
    torch.save({}, tmp_path / "b.pt")
    with pytest.raises(BadCheckpoint, match="it is empty"):
        read_published(tmp_path / "b.pt")
    with pytest.raises(CrosscaleError, match="no checkpoint at"):
        read_published(tmp_path)


def test_the_encoder_that_comes_with_crosscale_goes_out_and_back(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["export", "published", "parts", "--out", "parts.pt"]) == 0
    back = capsys.readouterr().out.splitlines()[-1].replace("RUN", "back")
    assert main(back.removeprefix("crosscale ").split()) == 0
    clips = [np.random.default_rng(seed).normal(size=(30, 1, 10, 3)) for seed in range(3)]
    np.testing.assert_array_equal(load("back").embed(clips), load("parts").embed(clips))


def test_data_or_a_layout_must_be_named_and_a_run_is_not_replaced(file, run, tmp_path, capsys):
    arguments = ["import", "published", str(file), "--out"]
    assert main([*arguments, str(tmp_path / "new")]) == 2
    assert "--data STORE" in capsys.readouterr().err
    assert main([*arguments, str(run), "--layout", "kinect20"]) == 2
    assert "exists already" in capsys.readouterr().err
