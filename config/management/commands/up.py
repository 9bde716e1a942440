"""`manage.py up`: the whole service on one machine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser
from typing import Any, Final

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from accounts.models import User
from config.embedded import Postgres
from config.engines import DATABASE, SANDBOX_DATABASE, wanted
from config.supervisor import EngineError, GaveUp, Program, Supervisor

READY_SECONDS: Final = 60.0
PYTHON: Final = sys.executable


class Interrupted(Exception):
    """Somebody asked us to stop."""


class Command(BaseCommand):
    help = "Runs everything on this machine: PostgreSQL, Valkey, web, worker, beat, and the platform's sandbox."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--demo", action="store_true", help="play the demonstration journey once all is up")
        parser.add_argument("--once", action="store_true", help="with --demo: stop after it; its status is ours")

    def handle(self, *args: Any, demo: bool, once: bool, **options: Any) -> None:
        for signum in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signum, interrupt)
        refuse_taken_ports()
        house = Supervisor(wanted(), logs=settings.VAR_DIR / "log")
        status = 0
        try:
            status = Evening(house, quiet=demo).spend(demo=demo, once=once)
        except Interrupted:
            house.quiet = True
            print()
        except (EngineError, GaveUp) as error:
            raise CommandError(str(error)) from error
        finally:
            began = time.monotonic()
            house.stop()
            house.say(f"stopped everything in {time.monotonic() - began:.1f} s")
        sys.exit(status)


class Evening:
    """One run of the house, from the engines' start to the last guest."""

    def __init__(self, house: Supervisor, *, quiet: bool) -> None:
        self.house = house
        self.house.quiet = quiet
        self.environment = dict(os.environ)
        self.logins = demo_logins()

    def spend(self, *, demo: bool, once: bool) -> int:
        began = time.monotonic()
        self.house.start_engines()
        self.prepare(quick=demo)
        for program in programs(self.environment):
            self.house.start(program)
        self.house.run(until=within(READY_SECONDS, everybody_answers))
        self.house.say(f"up in {time.monotonic() - began:.1f} s")
        if demo:
            status = self.play_demo()
            if once or status:
                return status
        self.house.quiet = False
        self.show_doors()
        self.house.run(until=lambda: False)
        return 0

    def prepare(self, *, quick: bool) -> None:
        """Databases, tables, the sandbox's shelves and keys, and somebody who may enter the admin."""
        for engine in wanted():
            if isinstance(engine, Postgres):
                self.environment["DATABASE_URL"] = engine.ensure_database(DATABASE)
                self.environment["SANDBOX_DATABASE_URL"] = engine.ensure_database(SANDBOX_DATABASE)
        self.environment |= shared_environment(quick=quick)
        prepare_sandbox = [PYTHON, "-m", "sandbox", "prepare"]
        sandbox = subprocess.Popen(
            prepare_sandbox, env=self.environment, cwd=settings.BASE_DIR,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        call_command("migrate", verbosity=0)
        make_admin(**self.logins)
        connection.close()
        for line in sandbox.communicate()[0].splitlines():
            self.house.say(line.removeprefix("sandbox: "), name="sandbox")
        if sandbox.returncode:
            raise GaveUp("the sandbox could not be prepared; its words are above")

    def play_demo(self) -> int:
        demo = subprocess.Popen([PYTHON, "manage.py", "demo"], env=self.environment, cwd=settings.BASE_DIR)
        try:
            self.house.run(until=lambda: demo.poll() is not None)
        finally:
            demo.terminate()
        return demo.wait()

    def show_doors(self) -> None:
        web = f"http://127.0.0.1:{settings.PORT}"
        self.house.say(f"a player to listen with      {web}/listen")
        self.house.say(f"API and its documentation   {web}/api/v1/docs")
        self.house.say(f"admin                       {web}/admin/   {self.logins['email']} / {self.logins['password']}")
        self.house.say(
            f"the platform's sandbox      http://127.0.0.1:{settings.SANDBOX_PORT}/_control/journal?kind=plays"
        )
        self.house.say("Ctrl-C stops everything")


def programs(environment: dict[str, str]) -> list[Program]:
    """Who works here. One web server of two processes, one worker, one beat, and the platform's stand-in."""
    celery = [PYTHON, "-m", "celery", "--app", "config"]
    worker = [*celery, "worker", "--pool", "threads", "--concurrency", "4", "--without-mingle", "--without-gossip"]
    web = [PYTHON, "-m", "granian", "config.rsgi:application", "--interface", "rsgi", "--port", str(settings.PORT)]
    web += ["--workers", "2", "--http", "1", "--no-ws", "--backpressure", "10000", "--log-level", "warning"]
    web += ["--respawn-failed-workers", "--workers-kill-timeout", "6"]
    return [
        Program(name="sandbox", command=[PYTHON, "-m", "sandbox", "serve"], environment=environment),
        Program(name="web", command=web, environment=environment),
        Program(name="worker", command=worker, environment=environment),
        Program(name="beat", command=[*celery, "beat"], environment=environment),
    ]


def shared_environment(*, quick: bool) -> dict[str, str]:
    """What web, worker, beat and sandbox must agree on, whoever made it up."""
    own_key = str(settings.VAR_DIR / "sandbox" / "keys" / "events.pub.pem")
    shared = {
        "REDIS_URL": settings.REDIS_URL,
        "VAR_DIR": str(settings.VAR_DIR),
        "PORT": str(settings.PORT),
        "SANDBOX_PORT": str(settings.SANDBOX_PORT),
        "MASSIVEMUSIC_CONSUMER_KEY": settings.MASSIVEMUSIC["consumer_key"],
        "MASSIVEMUSIC_CONSUMER_SECRET": settings.MASSIVEMUSIC["consumer_secret"],
        "CATALOGUE_EVENT_PUBLIC_KEYS": ",".join([*settings.CATALOGUE_EVENT_PUBLIC_KEYS, own_key]),
    }
    if quick and "USAGE_EVERY_SECONDS" not in os.environ:
        shared["USAGE_EVERY_SECONDS"] = "2"  # nobody wants to watch a minute go by
    return shared


def refuse_taken_ports() -> None:
    """Say at once, and clearly, that somebody else listens where we want to."""
    for name, port in (("PORT", settings.PORT), ("SANDBOX_PORT", settings.SANDBOX_PORT)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                raise CommandError(f"port {port} is taken; set {name} to another one") from None


def everybody_answers() -> bool:
    """Whether web and sandbox serve."""
    return all(answers(f"http://127.0.0.1:{port}{path}") for port, path in doors())


def doors() -> list[tuple[int, str]]:
    return [(settings.PORT, "/healthz"), (settings.SANDBOX_PORT, "/1.2/status")]


def answers(url: str) -> bool:
    """Whether anything at all comes back; a refusal is an answer too."""
    try:
        urllib.request.urlopen(url, timeout=1).close()  # noqa: S310  loopback, and our own
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def within(seconds: float, done: Any) -> Any:
    """`done`, or GaveUp once `seconds` have gone by."""
    end = time.monotonic() + seconds

    def until() -> bool:
        if time.monotonic() > end:
            raise GaveUp(f"not up after {seconds:.0f} s; see the logs")
        return bool(done())

    return until


def demo_logins() -> dict[str, str]:
    """The demo superuser: from ADMIN_USER and ADMIN_PASSWORD, else made up anew."""
    return {
        "email": os.environ.get("ADMIN_USER") or "admin@tonearm.example",
        "password": os.environ.get("ADMIN_PASSWORD") or secrets.token_urlsafe(12),
    }


def make_admin(*, email: str, password: str) -> None:
    """Let the demo superuser in with this password; in production nobody is made up."""
    if settings.PRODUCTION:
        return
    with contextlib.suppress(User.DoesNotExist):
        user = User.objects.get(email=email)
        user.set_password(password)
        user.save(update_fields=["password"])
        return
    User.objects.create_superuser(email, password)


def interrupt(signum: int, frame: Any) -> None:
    raise Interrupted
