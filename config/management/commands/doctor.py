"""`manage.py doctor`: look everything over and say what needs a person."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from config.checks import Finding, Level
from config.doctor import examination


class Command(BaseCommand):
    help = "Looks everything over, line by line; exits 1 when something needs a person."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--json", dest="plain", action="store_false", help="say it as one JSON object, for machines"
        )

    def handle(self, *args: Any, plain: bool, **options: Any) -> None:
        findings = self.read_out() if plain else dict(examination())
        if not plain:
            self.stdout.write(as_json(findings))
        if worst(findings) is Level.ILL:
            sys.exit(1)

    def read_out(self) -> dict[str, Finding]:
        """Print every finding as it is made, and the verdict; the findings."""
        self.stdout.write("\n  Tonearm, looked over\n\n")
        began, findings = time.monotonic(), {}
        for name, finding in examination():
            findings[name] = finding
            self.stdout.write(f"  {self.mark(finding.level)} {name:<14} {finding.text}\n")
            self.stdout.flush()
        self.stdout.write(f"\n  {self.verdict(findings)} · {time.monotonic() - began:.1f} s\n\n")
        return findings

    def mark(self, level: Level) -> str:
        return {
            Level.WELL: self.style.SUCCESS("✓"),
            Level.WARNING: self.style.WARNING("!"),
            Level.ILL: self.style.ERROR("✗"),
            Level.UNSEEN: "–",
        }[level]

    def verdict(self, findings: dict[str, Finding]) -> str:
        ill = sum(finding.level is Level.ILL for finding in findings.values())
        odd = sum(finding.level is Level.WARNING for finding in findings.values())
        notes = f", {odd} worth a look" if odd else ""
        if ill:
            return self.style.ERROR(f"{ill} of {len(findings)} need{'s' if ill == 1 else ''} a person{notes}")
        return self.style.SUCCESS(f"nothing needs a person{notes}")


def worst(findings: dict[str, Finding]) -> Level:
    """The state of the whole: what is unseen is ill by its cause."""
    levels = {finding.level for finding in findings.values()}
    return next((level for level in (Level.ILL, Level.WARNING) if level in levels), Level.WELL)


def as_json(findings: dict[str, Finding]) -> str:
    checks = {
        name: {"level": finding.level, "text": finding.text, **finding.facts} for name, finding in findings.items()
    }
    return json.dumps({"status": worst(findings), "checks": checks}, ensure_ascii=False)
