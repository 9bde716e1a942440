"""What staff do about usage reports in the admin."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import DatabaseError, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from accounts.models import Listener, User
from desk.cells import page_of
from tests.usage.reports import END, MIDDLE, NOW, another, as_csv, differences, imported, lines_of, went_out
from usage.models import Difference, ReportRow, UsageReport
from usage.resolving import StillOpen, sign_report

pytestmark = pytest.mark.django_db
IMPORT = "/admin/usage-reports/import/"
LIST = "/admin/usage/difference/"


@pytest.fixture
def report(listener: Listener) -> UsageReport:
    """One missing, one extra, one changed, one equal."""
    plays = went_out(listener, *(MIDDLE + n * timedelta(minutes=7) for n in range(3)))
    lines = lines_of(plays)
    return imported([lines[0], another(lines[1], seconds=7), another(lines[2], user_id="nobody")])


def bring(client: Client, data: bytes, **changed: str) -> HttpResponse:
    form = {"first": "2026-10-01", "last": "2026-10-31"} | changed
    file = SimpleUploadedFile("october.csv", data)
    response: HttpResponse = client.post(IMPORT, form | {"file": file}, follow=True)
    return response


def resolve(client: Client, *chosen: Difference, **changed: str) -> HttpResponse:
    form = {"resolution": "THEIRS", "note": "they told us by letter"} | changed
    address = f"{reverse('resolve')}?id={','.join(str(each.pk) for each in chosen)}"
    response: HttpResponse = client.post(address, form, follow=True)
    return response


def sign(client: Client, report: UsageReport) -> HttpResponse:
    response: HttpResponse = client.post(reverse("sign_report", args=[report.pk]), {"note": "seen"}, follow=True)
    return response


def test_a_report_is_imported_and_shown(boss: Client, listener: Listener) -> None:
    plays = went_out(listener, MIDDLE, MIDDLE + timedelta(minutes=7))

    shown = bring(boss, as_csv(lines_of(plays[:1])))

    assert shown.status_code == 200
    assert (shown.context["original"].matched, shown.context["original"].missing) == (1, 1)
    assert shown.context["days"] == [
        {"day": "2026-10-15", "ours": 2, "theirs": 1, "our_height": 100, "their_height": 50}
    ]
    assert UsageReport.objects.get().imported_by == User.objects.get(email="boss@example.org")
    assert LogEntry.objects.get().change_message == "Imported october.csv"


def test_the_same_file_is_told_to_be_known(boss: Client) -> None:
    bring(boss, as_csv([]))

    assert "has been imported before" in bring(boss, as_csv([])).content.decode()
    assert (UsageReport.objects.count(), LogEntry.objects.count()) == (1, 1)


@pytest.mark.parametrize(
    ("data", "changed", "fault"),
    [
        (b"", {}, "The submitted file is empty"),
        (b"\n", {}, "no line of headings names logged_at"),
        (bytes(range(256)), {}, "line 1: "),
        (b"PK\x03\x04", {}, "the workbook cannot be read"),
        (as_csv([]) + b"x", {}, "line 2, Date Time Logged: is empty"),
        (as_csv([]), {"first": "2026-11-01"}, "begins before it ends"),
        (as_csv([]), {"last": "2099-11-01"}, "and is over"),
        (as_csv([]), {"last": "9999-12-31"}, "Enter a date of the years 2000 to 2100"),
        (as_csv([]), {"first": "x"}, "Enter a valid date"),
    ],
)
def test_what_cannot_be_imported_is_told_in_the_form(
    boss: Client, data: bytes, changed: dict[str, str], fault: str
) -> None:
    shown = bring(boss, data, **changed)

    assert shown.status_code == 200
    assert fault in shown.content.decode()
    assert not UsageReport.objects.exists()


def test_the_page_shows_both_sides_of_every_difference(boss: Client, report: UsageReport) -> None:
    page = boss.get(page_of(report)).content.decode()

    assert "2026-10-15 12:07:00 · track 70 · <strong>120 s</strong> · format 26 · GB · online" in page
    assert "<strong>7 s</strong>" in page
    assert "line 4: we know no such user" in page


def test_the_list_is_narrowed_by_kind_report_and_state(boss: Client, report: UsageReport) -> None:
    asked = {"kind__exact": "CHANGED", "resolution__exact": "OPEN", "report__id__exact": report.pk}

    listed = boss.get(LIST, asked).context["cl"].result_list
    assert [each.kind for each in listed] == ["CHANGED"]
    assert boss.get(LIST, asked | {"resolution__exact": "OURS"}).context["cl"].result_list.count() == 0
    assert boss.get(LIST, {"q": "nobody"}).context["cl"].result_list.count() == 1


def test_differences_are_resolved_together_with_a_note(boss: Client, report: UsageReport) -> None:
    chosen = Difference.objects.exclude(kind="EXTRA")
    form = boss.post(LIST, {"action": "resolve", "_selected_action": [each.pk for each in chosen]}, follow=True)
    assert "What about 2 difference(s)?" in form.content.decode()

    assert "2 difference(s) are resolved." in resolve(boss, *chosen).content.decode()

    assert {(each.resolution, each.note, each.resolved_by_id) for each in chosen.all()} == {
        ("THEIRS", "they told us by letter", User.objects.get(email="boss@example.org").pk)
    }
    assert Difference.objects.get(kind="EXTRA").resolution == "OPEN"
    assert LogEntry.objects.filter(change_message="THEIRS: they told us by letter (was OPEN)").count() == 2


@pytest.mark.parametrize("changed", [{"note": " "}, {"resolution": "FOUND"}, {"resolution": "OPEN"}, {"note": "\x00"}])
def test_without_a_note_or_a_finding_nothing_is_resolved(
    boss: Client, report: UsageReport, changed: dict[str, str]
) -> None:
    assert resolve(boss, *Difference.objects.all(), **changed).status_code == 200
    assert set(Difference.objects.values_list("resolution", flat=True)) == {"OPEN"}


@pytest.mark.parametrize("ids", ["", "x", "0", "-1", "9" * 30, "1;2", "²"])
def test_no_such_difference_is_not_found(boss: Client, ids: str) -> None:
    assert boss.get(reverse("resolve"), {"id": ids}).status_code == 404


def test_a_report_is_signed_when_no_difference_is_open(boss: Client, report: UsageReport) -> None:
    assert "3 difference(s) are open." in sign(boss, report).content.decode()
    resolve(boss, *Difference.objects.all())

    sign(boss, report)

    report.refresh_from_db()
    assert (report.state, report.note) == ("SIGNED", "seen")
    assert report.signed_by == User.objects.get(email="boss@example.org")
    assert LogEntry.objects.filter(change_message="Signed off").count() == 1


def test_what_is_signed_stays_as_it_is(boss: Client, report: UsageReport) -> None:
    resolve(boss, *Difference.objects.all())
    sign(boss, report)

    for answer in (
        resolve(boss, *Difference.objects.all(), resolution="OURS"),
        sign(boss, report),
        boss.post(reverse("withdraw_report", args=[report.pk])),
    ):
        assert "is signed off" in answer.content.decode()
    assert "Withdraw" not in boss.get(page_of(report)).content.decode()
    for rows in (UsageReport.objects.all(), Difference.objects.all()):
        with pytest.raises(DatabaseError, match="is signed off"), transaction.atomic():
            rows.update(note="later")
        with pytest.raises(DatabaseError, match="is signed off"), transaction.atomic():
            rows._raw_delete("default")
    assert set(Difference.objects.values_list("resolution", flat=True)) == {"THEIRS"}


def test_who_signed_may_leave(boss: Client, report: UsageReport) -> None:
    resolve(boss, *Difference.objects.all())
    sign(boss, report)

    User.objects.filter(email="boss@example.org").delete()

    report.refresh_from_db()
    assert (report.state, report.signed_by) == ("SIGNED", None)


def test_a_withdrawn_report_makes_room_for_a_better_one(boss: Client, report: UsageReport) -> None:
    shown = boss.post(reverse("withdraw_report", args=[report.pk]), follow=True)

    assert "is withdrawn" in shown.content.decode()
    assert [model.objects.count() for model in (UsageReport, ReportRow, Difference)] == [0, 0, 0]
    assert differences(imported([])) != []


def test_what_a_signed_report_missed_is_not_touched_by_a_later_one(listener: Listener) -> None:
    [play] = went_out(listener, MIDDLE)
    report = imported([])
    person = User.objects.create_user("one@example.org")
    with pytest.raises(StillOpen):
        sign_report(report_id=report.pk, note="", by=person, now=NOW)
    Difference.objects.update(resolution="OURS", note="they looked for it", resolved_at=NOW)
    sign_report(report_id=report.pk, note="", by=person, now=NOW)

    assert imported(lines_of([play], logged_at=END), start=END, end=NOW).matched == 1
    assert Difference.objects.get().resolution == "OURS"


PAGES = {
    "import_report": "add_usagereport",
    "resolve": "change_difference",
    "sign_report": "sign_usagereport",
    "withdraw_report": "delete_usagereport",
}


@pytest.mark.parametrize(("page", "permission"), PAGES.items())
def test_every_page_is_for_those_who_may(
    clerk: Callable[..., Client], report: UsageReport, page: str, permission: str
) -> None:
    address = reverse(page, args=[report.pk] if page in {"sign_report", "withdraw_report"} else [])
    query = f"?id={Difference.objects.values_list('pk', flat=True)[0]}"
    others = {*PAGES.values(), "view_usagereport", "view_difference"} - {permission}

    client = clerk(*others)
    assert client.get(address + query).status_code == client.post(address + query).status_code == 403
    User.objects.all().delete()
    assert clerk(permission).get(address + query).status_code == 200


def test_only_what_one_may_do_is_offered(clerk: Callable[..., Client], report: UsageReport) -> None:
    page = clerk("view_usagereport").get(page_of(report)).content.decode()

    assert not any(word in page for word in ("Sign off", "Withdraw", "Write down what was found out"))


def test_nobody_writes_reports_by_hand(boss: Client, report: UsageReport) -> None:
    for name in ("usagereport", "difference"):
        assert boss.get(f"/admin/usage/{name}/add/").status_code == 403
    assert boss.post(page_of(report), {"note": "x"}).status_code == 403
    assert boss.post(f"{page_of(report)[:-7]}delete/", {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("name", ["abc", "7", "9" * 30, "_5Fx"])
def test_no_such_report_has_no_page(boss: Client, name: str) -> None:
    for way in ("change/", "sign", "withdraw"):
        assert boss.get(f"/admin/usage/usagereport/{name}/{way}", follow=True).status_code in (200, 403, 404)


def test_a_report_that_is_not_there_is_not_found(boss: Client) -> None:
    for name in ("sign_report", "withdraw_report"):
        assert boss.get(reverse(name, args=[7])).status_code == 404
