"""What fails in the middle of a body costs nothing else, is named, and is made good once its cause has gone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone

from catalogue.actions import ATTEMPTS_TO_DIE, apply_again, apply_batch, apply_waiting
from catalogue.models import CatalogueEvent, Release, TrackTags
from tests.catalogue.conftest import Door
from tests.catalogue.mirrored import what_stands
from tests.helpers import release_event

pytestmark = pytest.mark.django_db
AWAY = """
    CREATE FUNCTION away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '57P01'; END $$;
    CREATE TRIGGER away BEFORE INSERT ON catalogue_release FOR EACH ROW EXECUTE FUNCTION away()
"""
SLOW = "id <> 2 OR pg_sleep(5)::text IS NOT NULL"


def execute(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


def forbid(condition: str, *, table: str = "release") -> None:
    """From now on PostgreSQL wants this of every row."""
    alter(table, f"ADD CONSTRAINT forbidden CHECK ({condition}) NOT VALID")


def allow(*, table: str = "release") -> None:
    alter(table, "DROP CONSTRAINT forbidden")


def alter(table: str, what: str) -> None:
    """Which PostgreSQL does not do while rows of the table wait to be checked."""
    execute(f"SET CONSTRAINTS ALL IMMEDIATE; ALTER TABLE catalogue_{table} {what}; SET CONSTRAINTS ALL DEFERRED")


def again(event: CatalogueEvent) -> CatalogueEvent:
    """As the admin has it applied again."""
    assert apply_again(CatalogueEvent.objects.filter(pk=event.pk)) == 1
    apply_waiting()
    event.refresh_from_db()
    return event


def standing() -> set[int]:
    return set(Release.objects.values_list("pk", flat=True))


def refusal(index: int) -> dict[str, Any]:
    return {"index": index, "reason": "PostgreSQL refused it: IntegrityError"}


@pytest.mark.parametrize("index", [0, 1, 2, 3])
def test_a_member_that_postgresql_refuses_is_named_and_made_good(door: Door, index: int) -> None:
    members = [release_event(id_) for id_ in (1, 3, 4)]
    members.insert(index, release_event(2))
    forbid("id <> 2")

    event = door.bring(*members)

    assert (event.state, event.outcome) == ("PARTLY", {"applied": 3, "refused": [refusal(index)]})
    assert standing() == {1, 3, 4}
    allow()
    assert (again(event).state, event.outcome) == ("APPLIED", {"applied": 1, "stale": 3, "refused": []})
    assert standing() == {1, 2, 3, 4}


def test_a_takedown_that_failed_is_made_good(door: Door) -> None:
    door.bring(release_event(1), release_event(2))
    forbid("taken_down_at IS NULL OR id <> 2")

    event = door.bring(*({"id": id_, "version": 2, "takedown": True} for id_ in (1, 2)))

    assert event.outcome == {"applied": 1, "refused": [refusal(1)]}
    allow()
    assert again(event).state == "APPLIED"
    assert not Release.objects.standing().exists()


def test_what_has_grown_old_meanwhile_lowers_nothing(door: Door) -> None:
    forbid("id <> 2")
    event = door.bring(release_event(2, version=1, title="Old"), release_event(1))
    allow()
    door.bring(release_event(2, version=2, title="New"))
    before = what_stands([2])

    assert (again(event).state, event.outcome) == ("APPLIED", {"stale": 2, "refused": []})
    assert what_stands([2]) == before


def test_one_body_of_many_fails_and_the_others_do_not(door: Door) -> None:
    forbid("id <> 2")
    events = [door.keep([release_event(id_)]) for id_ in (1, 2, 3)]

    apply_waiting()

    assert [CatalogueEvent.objects.get(pk=event.pk).state for event in events] == ["APPLIED", "PARTLY", "APPLIED"]


def test_tags_that_postgresql_refuses_are_named_and_made_good(door: Door) -> None:
    door.bring(release_event(1))
    forbid("track_id <> 101", table="tracktags")

    event = door.bring(
        *({"releaseId": 1, "trackId": id_, "version": 1, "mood": []} for id_ in (101, 102)), kind="enhanced"
    )

    assert event.outcome == {"applied": 1, "refused": [refusal(0)]}
    allow(table="tracktags")
    assert again(event).state == "APPLIED"
    assert TrackTags.objects.count() == 2


def test_a_body_that_asks_too_much_does_not_stop_the_others(door: Door) -> None:
    forbid(SLOW)
    heavy, light = door.keep([release_event(2)]), door.keep([release_event(1)])
    execute("SET LOCAL statement_timeout = '400ms'")

    assert apply_batch() == 2

    heavy.refresh_from_db()
    light.refresh_from_db()
    assert (heavy.state, heavy.attempts, light.state) == ("WAITING", 1, "APPLIED")
    assert heavy.due_at > timezone.now()
    assert "statement timeout" in heavy.last_error
    allow()
    CatalogueEvent.objects.update(due_at=timezone.now())
    apply_waiting()
    assert standing() == {1, 2}


def test_a_body_that_never_goes_in_ends_with_a_person(door: Door) -> None:
    forbid(SLOW)
    execute("SET LOCAL statement_timeout = '250ms'")
    event = door.keep([release_event(2)])
    for _ in range(ATTEMPTS_TO_DIE):
        CatalogueEvent.objects.update(due_at=timezone.now())
        apply_batch()
    event.refresh_from_db()
    assert (event.state, event.attempts) == ("DEAD", ATTEMPTS_TO_DIE)

    allow()
    assert (again(event).state, event.attempts, event.last_error) == ("APPLIED", 0, "")


def test_a_database_that_is_away_is_nobodys_fault(door: Door) -> None:
    event = door.keep([release_event()])
    execute(AWAY)

    with pytest.raises(OperationalError):
        apply_batch()

    event.refresh_from_db()
    assert (event.state, event.attempts) == ("WAITING", 0)
