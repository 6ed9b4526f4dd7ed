"""An audit that looked at nothing never passes for one that found nothing."""

import json

import pytest
from audit import NO_CONNECTION, verdict

CLEAN = {"name": "clean", "version": "1.0", "vulns": []}
HOLED = {"name": "holed", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found on PyPI and could not be audited"}
OURS = {"name": "crosscale", "skip_reason": "distribution marked as editable"}


def told(*packages, status=0):
    return verdict(status, json.dumps({"dependencies": packages, "fixes": []}), "")


def test_a_clean_audit_says_how_many_packages_it_saw():
    assert told(CLEAN, OURS) == (0, "audited 1 of 1 packages: 0 vulnerable")


def test_a_vulnerability_fails_and_is_named_with_the_version_that_mends_it():
    code, said = told(CLEAN, HOLED, status=1)
    assert code == 1
    assert "holed 2.0: PYSEC-1 (mended in 2.1)" in said


def test_what_the_service_does_not_know_is_named():
    code, said = told(CLEAN, UNKNOWN)
    assert code == 0
    assert said.splitlines() == [
        "unknown to the service: torch",
        "audited 1 of 2 packages: 0 vulnerable",
    ]


def test_a_service_that_knows_nothing_is_no_service():
    code, said = told(UNKNOWN, UNKNOWN, OURS)
    assert (code, said) == (0, f"{NO_CONNECTION} (it knew none of 2 packages)")


@pytest.mark.parametrize(
    "complaint",
    ["ERROR:pip_audit._cli:Could not connect to PyPI's vulnerability feed", "Max retries exceeded"],
)
def test_without_a_connection_nothing_is_audited_and_nothing_fails(complaint):
    assert verdict(1, "", complaint) == (0, NO_CONNECTION)


def test_an_audit_that_breaks_fails():
    code, said = verdict(2, "", "Traceback: odd")
    assert code == 2
    assert "odd" in said
