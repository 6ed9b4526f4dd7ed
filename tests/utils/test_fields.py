"""What is read of a module's text is what the module has."""

import dataclasses
import sys

import pytest

from crosscale.evaluation.probes import PROBES
from crosscale.training.recipe import CHOICES
from crosscale.utils.fields import fields_of, settings_fields
from crosscale.utils.plugins import load_object

CHOSEN = ("encoder", "objective", "source")
WITH_SETTINGS = [path for kind in CHOSEN for path in CHOICES[kind][0].built_in().values()]
MODULE = """
from dataclasses import dataclass, field

import no_such_module

class Nested:
    @dataclass
    class Settings:
        size: int = 1

class Without:
    pass

USUAL = [3]
OFTEN = USUAL * 2

@dataclass(frozen=True)
class Settings:
    sizes: list[int] = field(default_factory=lambda: OFTEN)

    def __post_init__(self):
        no_such_module.check(self)

class Beside(no_such_module.Base):
    Settings = Settings
"""


def facts(kind):
    """Docstring and fields, with the defaults."""
    found = [(one.name, one.type, one.init) for one in dataclasses.fields(kind)]
    defaults = [
        one.default if one.default_factory is dataclasses.MISSING else one.default_factory()
        for one in dataclasses.fields(kind)
    ]
    return kind.__name__, kind.__doc__, found, defaults


@pytest.mark.parametrize("path", WITH_SETTINGS)
def test_settings_are_those_of_the_class(path):
    assert facts(settings_fields(path)) == facts(load_object(path).Settings)


@pytest.mark.parametrize("path", PROBES.built_in().values())
def test_fields_are_those_of_the_probe(path):
    assert facts(fields_of(path)) == facts(load_object(path))


def test_only_what_the_fields_name_is_run(tmp_path, monkeypatch):
    (tmp_path / "with_fields.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    assert settings_fields("with_fields:Beside")().sizes == [3, 3]
    for name in ("Nested", "Without", "Absent"):
        assert settings_fields(f"with_fields:{name}") is None
        assert fields_of(f"with_fields:{name}") is None
    assert "with_fields" not in sys.modules
