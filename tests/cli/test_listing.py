from typing import get_args

import pytest

from crosscale.cli import main
from crosscale.cli.listing import Kind, entries


@pytest.mark.parametrize("kind", get_args(Kind))
def test_everything_listed_is_explained(kind, capsys):
    found = entries(kind)
    assert found
    assert all(entry.about for entry in found)
    assert main(["list", kind]) == 0
    assert all(entry.name in capsys.readouterr().out for entry in found[:1])


def test_what_an_installed_package_announces_is_listed(tmp_path, monkeypatch):
    (tmp_path / "mocap_club.py").write_text(
        'raise RuntimeError("imported")\nclass Club:\n    """Takes of the club.\n\n    More."""\n'
    )
    facts = tmp_path / "mocap_club-1.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: mocap-club\nVersion: 1\n")
    (facts / "entry_points.txt").write_text("[crosscale.readers]\nclub = mocap_club:Club\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert ("club", "Takes of the club.", "mocap_club") in entries("readers")
