"""`make audit`: known vulnerabilities of the installed packages, as pip-audit tells them.

pip-audit ends well, saying that nothing is known, when a proxy answers "not found" for every
package. So what counts here is how many packages the service has looked at. Without a connection
nothing is audited; that is said, and is no failure, since the packages are not at fault.
"""

import json
import subprocess
import sys
from typing import Any

COMMAND = ("-m", "pip_audit", "--skip-editable", "--progress-spinner=off", "--format=json")
NO_CONNECTION = "not audited: no connection to the vulnerability service"
OFFLINE = ("ConnectionError", "Could not connect", "timed out", "Max retries exceeded")


def verdict(status: int, said: str, complaint: str) -> tuple[int, str]:
    """What pip-audit's end means.

    Args:
        status: its exit status.
        said: its standard output, JSON.
        complaint: its standard error.

    Returns:
        The exit status of the audit, and what it tells; the last line sums it up.
    """
    try:
        packages = json.loads(said)["dependencies"]
    except ValueError:
        if any(sign in complaint for sign in OFFLINE):
            return 0, NO_CONNECTION
        return status or 1, f"{complaint.strip()}\naudit failed: pip-audit gave no result"
    installed = [one for one in packages if "editable" not in one.get("skip_reason", "")]
    audited = [one for one in installed if "vulns" in one]
    if not audited:
        return 0, f"{NO_CONNECTION} (it knew none of {len(installed)} packages)"
    unknown = [one["name"] for one in installed if "vulns" not in one]
    found = [line for one in audited for line in _vulnerabilities(one)]
    lines = [*found, *([f"unknown to the service: {', '.join(unknown)}"] if unknown else [])]
    lines.append(f"audited {len(audited)} of {len(installed)} packages: {len(found)} vulnerable")
    return int(bool(found)), "\n".join(lines)


def _vulnerabilities(package: dict[str, Any]) -> list[str]:
    if not package["vulns"]:
        return []
    known = ", ".join(
        f"{one['id']} (mended in {', '.join(one['fix_versions']) or 'no version'})"
        for one in package["vulns"]
    )
    return [f"{package['name']} {package['version']}: {known}"]


if __name__ == "__main__":
    ended = subprocess.run([sys.executable, *COMMAND], capture_output=True, text=True, check=False)
    code, told = verdict(ended.returncode, ended.stdout, ended.stderr)
    print(told)
    sys.exit(code)
