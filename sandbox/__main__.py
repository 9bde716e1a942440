"""`python -m sandbox prepare` and `python -m sandbox serve`."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Final, TextIO

COMPLAINTS_SHOWN: Final = 10


def main() -> int:
    """Returns the exit status: 0, or 2 with one line saying what is missing."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The platform's stand-in.")
    commands = parser.add_subparsers(required=True, metavar="command")
    commands.add_parser("prepare", help="bring tables, keys and shelves up to date").set_defaults(run=prepare)
    commands.add_parser("serve", help="serve on 127.0.0.1:$SANDBOX_PORT until SIGTERM or Ctrl-C").set_defaults(
        run=serve
    )
    run = parser.parse_args().run
    os.environ["DJANGO_SETTINGS_MODULE"] = "sandbox.settings"

    import django
    from django.core.exceptions import ImproperlyConfigured
    from django.db import OperationalError

    try:
        django.setup()
        run()
    except (ImproperlyConfigured, OperationalError) as error:
        say(f"sandbox: {str(error).splitlines()[0]}", file=sys.stderr)
        return 2
    return 0


def prepare() -> None:
    """Do what is missing, and say it."""
    from django.core.management import call_command

    from sandbox import keys

    call_command("migrate", verbosity=0, interactive=False)
    if keys.ensure():
        say("sandbox: made the key pair that signs catalogue events")
    fill_shelves()


def fill_shelves() -> None:
    """Fill the shelves where they are empty or where MUSIC has changed."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.utils import timezone

    from sandbox.shelves import demo, fill, folder

    if settings.MUSIC and not settings.MUSIC.is_dir():
        raise ImproperlyConfigured(f"MUSIC is not a folder: {settings.MUSIC}")
    fingerprint = folder.fingerprint(settings.MUSIC) if settings.MUSIC else demo.fingerprint()
    if fill.filled_from() == fingerprint:
        say("sandbox: nothing to prepare")
        return
    found = folder.read(settings.MUSIC) if settings.MUSIC else folder.Found(cards=list(demo.cards(now=timezone.now())))
    for complaint in found.complaints[:COMPLAINTS_SHOWN]:
        say(f"sandbox: {complaint}")
    if len(found.complaints) > COMPLAINTS_SHOWN:
        say(f"sandbox: … and {len(found.complaints) - COMPLAINTS_SHOWN} more files skipped")
    changed = fill.fill(found.cards, fingerprint=fingerprint)
    source = settings.MUSIC or "the demo label"
    releases, tracks = len(found.cards), sum(len(card.tracks) for card in found.cards)
    say(f"sandbox: shelves filled from {source}: {releases} releases ({changed} new or changed), {tracks} tracks")


def serve() -> None:
    from sandbox import server

    server.serve()


def say(line: str, *, file: TextIO = sys.stdout) -> None:
    file.write(line + "\n")
    file.flush()


if __name__ == "__main__":
    sys.exit(main())
