import json
import re
import shlex
import subprocess
import sys
from importlib import import_module

import pytest

from crosscale.cli import COMMANDS, GROUPS, first_line, main, parser_of
from crosscale.cli.help import kebab
from crosscale.cli.parser import spelled
from crosscale.evaluation.probes import PROBES
from crosscale.training.recipe import CHOICES

PYTHON = re.compile(
    r"Literal|Union|Optional|<class|typing|NoneType|None\b|type: |default: null|Namespace|pathlib"
)
JSONARGPARSE = re.compile(r"ARG:|ENV:|--print|CONFIG|ITEM|\[options\] \w+ \[options\]")

# Their options are settings of networks and classifiers, which these tell themselves.
SLOW = ("pretrain", "evaluate")
WORDS = {"--nosuch": 2, "--help": 0}
PROGRAM = """
import json, sys
from crosscale.cli import main
for words, status in json.loads(sys.argv[1]):
    assert main(words) == status, words
    if slow := {"torch", "sklearn", "lightning", "lightning_fabric"} & set(sys.modules):
        sys.exit(f"{words} imports {', '.join(slow)}")
"""


@pytest.fixture(params=COMMANDS)
def name(request):
    return request.param


@pytest.fixture(params=[80, 100])
def columns(request, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(request.param))
    return request.param


def told(capsys, *words):
    assert main([*words]) == 0
    return capsys.readouterr().out


def test_help_speaks_of_what_is_typed_and_not_of_python(name, columns, capsys):
    for switch in ("--help", "--help-all"):
        text = told(capsys, *name.split(), switch)
        assert not PYTHON.search(text)
        assert not JSONARGPARSE.search(text)
        assert text.startswith(f"usage: crosscale {name} ")
        long = [line for line in text.splitlines() if len(line) > columns]
        assert all(line.startswith("    ") for line in long), "only what is to be pasted"


def test_every_argument_has_a_help_text_and_a_place(name, capsys):
    text = told(capsys, *name.split(), "--help-all")
    for action in parser_of(name, ["--help"])._actions:
        assert action.help, action.dest
        if action.option_strings:
            option = re.escape(kebab(action.option_strings[0]).removesuffix(".name"))
            assert len(re.findall(rf"^  {option}(?:\.NAME)?(?: |$)", text, re.M)) == 1


def test_the_first_screen_has_an_example_that_is_understood(name, capsys):
    """Its options exist and its values are of the right kind; pages of the docs run more."""
    screen = told(capsys, *name.split(), "--help").splitlines()[:24]
    called = rf"^    (?:.*\| )?crosscale {name}\b(.*)$"
    examples = [found[1] for line in screen if (found := re.match(called, line))]
    assert examples
    for example in examples:
        words = spelled(shlex.split(example.partition(" | ")[0]))
        parser = parser_of(name, words)
        parser.parse_args(words)


def test_help_shows_the_functions_own_words(name, capsys):
    module, function = COMMANDS[name].split(".")
    documented = getattr(import_module(f"crosscale.cli.{module}"), function).__doc__
    if name.startswith("evaluate "):
        documented = PROBES.load(name.split()[1]).__doc__
    assert documented.splitlines()[0] == first_line(name)
    assert first_line(name).rstrip(".") in " ".join(told(capsys, *name.split(), "--help").split())


def test_help_of_all_names_every_command(columns, capsys):
    text = told(capsys, "--help")
    for head in {name.split()[0] for name in COMMANDS}:
        assert re.search(rf"^  {head} ", text, re.M)
    for group in GROUPS:
        within = told(capsys, group, "--help")
        for name in COMMANDS:
            if name.startswith(f"{group} "):
                assert re.search(rf"^  {name.split()[1]} ", within, re.M)


def test_help_may_be_asked_for_as_a_command(columns, capsys):
    for words in ([], ["data"], ["classify"]):
        assert told(capsys, "help", *words) == told(capsys, *words, "--help")


def test_help_of_pre_training_fits_a_screen_and_names_the_rest(columns, capsys):
    short, whole = (told(capsys, "pretrain", switch) for switch in ("--help", "--help-all"))
    assert len(short.splitlines()) <= 40
    assert "--training.epochs N" in short
    assert "--help-all" in short
    settings = re.findall(r"^  --(\w+)\.", whole, re.M)
    assert len(settings) > 40
    for group in set(settings):
        assert f"  --{group}.*" in short


@pytest.mark.parametrize("group", CHOICES)
def test_what_is_chosen_by_name_shows_the_names(group, capsys):
    text = " ".join(told(capsys, "pretrain", "--help-all").split())
    names = ", ".join(CHOICES[group][0].paths())
    assert f"--{group} NAME|FILE:CLASS {names}, or your own" in text
    assert f"--{group} FILE " not in text


def test_help_of_a_recipe_shows_its_values(capsys):
    text = told(capsys, "pretrain", "nwucla/crosscale", "--help-all")
    assert "default: [joint,joint@part10])" in " ".join(text.split())


def test_help_and_wrong_options_do_not_wait_for_pytorch_and_scikit_learn():
    quick = [name for name in COMMANDS if name.split()[0] not in SLOW]
    asked = [([*name.split(), word], code) for name in quick for word, code in WORDS.items()]
    asked += [(words, 0) for words in (["--help"], ["evaluate", "--help"], ["list", "readers"])]
    command = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    ran = subprocess.run(command, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("unknown option --nosuch") == len(quick)
