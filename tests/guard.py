"""A pytest plugin: a test fails when a secret stands in anything it has printed or logged.

Logs are read before any formatter has struck something out; `-o log_level=DEBUG` has it read all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

SECRETS = {
    "a signature": r"oauth_signature=(?!\[redacted\])",
    "a nonce": r"oauth_nonce=(?!\[redacted\])",
    "a bearer token": r"(?i:bearer)\s+(?=\S*\d)[\w.~+/-]{16,}",
    "a token": r"eyJ[\w-]{10,}\.[\w-]{10,}\.",
    "a webhook's secret": r"whsec_\w",
    "a password": r"correct horse|(?i:password)[\"']?\s*[=:]\s*[\"']?(?!\[redacted\])[^\s\"',}]",
    "a private key": r"PRIVATE KEY-----",
}


def leaks(text: str, *, known: Iterable[str] = ()) -> list[str]:
    """Which kinds of secrets the text has, never the secrets themselves. `known` are some by their value."""
    found = [kind for kind, pattern in SECRETS.items() if re.search(pattern, text)]
    return found + ["a secret of this installation"] * any(secret in text for secret in known)


def kept_below(home: Path) -> Iterator[str]:
    """The secrets that an installation has made for itself, line by line."""
    for path in (home / "keys").iterdir():
        yield from (line for line in path.read_text().splitlines() if len(line) >= 20 and "-----" not in line)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report: pytest.TestReport = yield
    said = "\n".join(text for name, text in report.sections if name.endswith(report.when or ""))
    if report.outcome == "passed" and (found := leaks(said)):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} has let slip, while it ran or was set up: {', '.join(found)}"
    return report
