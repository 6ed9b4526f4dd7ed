import json
import sys
from importlib import import_module

import numpy as np
import pytest
import yaml
from hub_server import Hub, local_hub

import crosscale
from crosscale.cli import main
from crosscale.errors import CrosscaleError
from crosscale.models.checkpoint import load_encoders
from crosscale.models.hub import push, resolve

huggingface_hub = pytest.importorskip("huggingface_hub", reason="needs crosscale[hub]")
FILES = ["README.md", "config.json", "encoder.safetensors"]


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The library speaks to a server on this machine and keeps what it fetches in the test."""
    constants, api = (import_module(f"huggingface_hub.{name}") for name in ("constants", "hf_api"))
    with local_hub() as made:
        monkeypatch.setattr(constants, "ENDPOINT", made.url)
        template = made.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        monkeypatch.setattr(api.api, "endpoint", made.url)
        monkeypatch.setenv("HF_TOKEN", "a-test")
        monkeypatch.chdir(tmp_path)
        yield made


@pytest.fixture
def unreachable(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the hub was asked")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


def test_what_is_pushed_is_loaded_by_name(hub: Hub, run, capsys):
    assert main(["push", str(run), "somebody/walks", "--license", "mit"]) == 0
    assert f"pushed: {hub.url}/somebody/walks/commit/" in capsys.readouterr().out
    assert set(FILES) < set(hub.models["somebody/walks"])
    stored = (run / "encoder.safetensors").read_bytes()
    assert hub.models["somebody/walks"]["encoder.safetensors"] == stored
    fetched = resolve("somebody/walks")
    assert sorted(path.name for path in fetched.iterdir()) == FILES
    assert load_encoders(fetched).fingerprint == load_encoders(run).fingerprint


def test_nothing_but_weights_json_and_markdown_is_fetched(hub: Hub, run):
    push(run, "somebody/walks", "mit")
    hub.models["somebody/walks"] |= {"model.py": b"1/0", "weights.pt": b"", "sub/config.json": b""}
    resolve("somebody/walks")
    asked = {r.rpartition("/")[2] for r in hub.requests if r.startswith(("GET /some", "HEAD"))}
    assert asked == set(FILES)
    assert not any("resolve" in r and "sub/" in r for r in hub.requests)


def test_a_fetched_model_is_found_again_without_a_network(hub: Hub, run, monkeypatch):
    push(run, "somebody/walks", "mit")
    first = resolve("somebody/walks")
    dead = "http://127.0.0.1:1"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", dead)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", dead)
    assert resolve("somebody/walks") == first
    told = r"no run at somebody/runs here, and none from the Hugging Face hub: .+"
    with pytest.raises(CrosscaleError, match=told):
        resolve("somebody/runs")


def test_a_path_that_exists_is_never_looked_for_on_the_hub(unreachable, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "somebody" / "walks").mkdir(parents=True)
    assert str(resolve("somebody/walks")) == "somebody/walks"
    assert resolve(run) == run
    assert resolve(run / "encoder.safetensors") == run / "encoder.safetensors"


def test_a_mistyped_path_stays_on_this_machine(unreachable, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "nwucla").mkdir(parents=True)
    with pytest.raises(CrosscaleError, match="no run at runs/nwucal: did you mean 'runs/nwucla'"):
        resolve("runs/nwucal")
    with pytest.raises(CrosscaleError, match=r"no run at nowhere; crosscale itself brings body"):
        resolve("nowhere")
    for wrong in ("/absent/run", "./absent/run", "../absent", "run", "a/b/c", "absent/../x", ""):
        if wrong:
            with pytest.raises(CrosscaleError, match="no run at"):
                resolve(wrong)


def test_a_model_that_is_not_there_is_told(hub: Hub):
    with pytest.raises(CrosscaleError, match="there is no such model, or it is private"):
        resolve("somebody/absent")
    hub.models["somebody/other"] = {"config.json": b"{}"}
    with pytest.raises(CrosscaleError, match=r"has no encoder\.safetensors"):
        resolve("somebody/other")


@pytest.mark.parametrize(("status", "hint"), [(401, "hf auth login"), (403, "403"), (413, "413")])
def test_a_push_that_is_refused_is_told(hub: Hub, run, status, hint):
    hub.status = status
    with pytest.raises(CrosscaleError, match=f"somebody/walks was not pushed: .*{hint}"):
        push(run, "somebody/walks", "mit")


def test_a_private_model_is_made_private(hub: Hub, run):
    push(run, "somebody/walks", "mit", private=True)
    assert hub.private["somebody/walks"]


def test_a_missing_library_or_a_wrong_name_is_told(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CrosscaleError, match="write user/model"):
        push(run, "walks", "mit")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(CrosscaleError, match=r"pip install 'crosscale\[hub\]'"):
        resolve("somebody/walks")


def _results(run, kind, streams, title="mine, xview: joint"):
    metrics = {name: {"clips": 12, "top1": 0.7512} for name in streams}
    evaluation = {"kind": kind, "protocol": "xview", "config": {}, "metrics": {"official": metrics}}
    (run / kind).mkdir()
    text = {"format": "crosscale results 1", "title": title, "evaluations": [evaluation]}
    (run / kind / "results.json").write_text(json.dumps(text))


@pytest.fixture
def measured(make_run):
    """A run of one stream that was evaluated."""
    run = make_run(("joint",))
    (run / "recipe.yaml").write_text("seed: 7\nviews: {shear: 0.5}\n")
    _results(run, "linear", ["joint"])
    _results(run, "knn", ["joint", "other/motion", "sum"])  # with another run's stream
    return run


def test_the_card_holds_the_runs_facts(measured, tmp_path):
    out = tmp_path / "model"
    assert main(["export", "folder", str(measured), "--out", str(out), "--license", "mit"]) == 0
    assert sorted(path.name for path in out.iterdir()) == FILES
    card = huggingface_hub.ModelCard.load(out / "README.md")
    assert card.data.license == "mit"
    assert card.data.library_name == "crosscale"
    assert card.data.pipeline_tag == "feature-extraction"
    assert card.data.datasets == ["mine"]
    (result,) = card.data.eval_results
    assert (result.metric_type, result.metric_value) == ("accuracy", 0.7512)
    assert (result.dataset_type, result.dataset_split) == ("mine", "official")
    assert "| linear layer | mine | xview | official | joint | 12 | 75.1 |" in card.text
    assert "epoch 3, seed 7" in card.text
    settings = card.text.partition("```yaml\n")[2].partition("```")[0]
    assert yaml.safe_load(settings) == {"seed": 7, "views": {"shear": 0.5}}


def test_the_configuration_tells_all_but_where_the_data_lay(measured, tmp_path):
    main(["export", "folder", str(measured), "--out", str(tmp_path / "model")])
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    trained = load_encoders(measured)
    assert config["model_type"] == "crosscale"
    assert config["encoder_sha256"] == trained.fingerprint
    assert config["layout"] == trained.layout.to_dict()
    assert config["recipe"]["seed"] == 7
    assert "/home/somebody" not in json.dumps(config)


def test_a_recipe_is_shared_without_the_folders_that_it_names(measured, tmp_path):
    source = {"name": "/home/me/mine.py:Mixed", "stores": ["/home/me/a", "~/b", "stores/c"]}
    (measured / "recipe.yaml").write_text(yaml.safe_dump({"seed": 7, "source": source}))
    main(["export", "folder", str(measured), "--out", str(tmp_path / "model")])
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["recipe"]["source"] == {"name": "mine.py:Mixed", "stores": ["a", "b", "stores/c"]}
    assert "/home/me" not in (tmp_path / "model" / "README.md").read_text()


def test_a_model_folder_embeds_as_the_run_does(measured, tmp_path):
    main(["export", "folder", str(measured), "--out", str(tmp_path / "model")])
    clips = list(np.random.default_rng(0).normal(size=(3, 20, 1, 20, 3)).astype(np.float32))
    own, shared = (crosscale.load(path) for path in (measured, tmp_path / "model"))
    assert np.array_equal(own.embed(clips), shared.embed(clips))


@pytest.mark.parametrize(
    ("file", "told"),
    [("linear/results.json", "is damaged"), ("recipe.yaml", "not a YAML file")],
)
def test_a_truncated_file_of_the_run_is_named(measured, tmp_path, capsys, file, told):
    (measured / file).write_text('{"format": "crosscale results 1", "title": "x"')
    assert main(["export", "folder", str(measured), "--out", str(tmp_path / "model")]) == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "model").exists()


def test_a_run_without_figures_says_so(run, tmp_path):
    out = tmp_path / "model"
    main(["export", "folder", str(run / "encoder.safetensors"), "--out", str(out)])
    assert "None were measured." in (out / "README.md").read_text()
    assert huggingface_hub.ModelCard.load(out / "README.md").data.license == "other"
