"""What people do with a report: find out about its differences, sign it off, or take it back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from django.db import connection, transaction

from accounts.models import User
from kernel.errors import Kind, Refusal
from usage.models import Difference, UsageReport

Resolution = Difference.Resolution
BY_PEOPLE: Final = (Resolution.OURS, Resolution.THEIRS, Resolution.ALIKE)
FORGET: Final = (
    "DELETE FROM usage_difference WHERE report_id = %s",
    "DELETE FROM usage_reportrow WHERE report_id = %s",
    "DELETE FROM usage_usagereport WHERE id = %s",
)


class ReportSigned(Refusal):
    """The report is signed off: nothing about it changes any more."""

    code, kind = "report_signed", Kind.CONFLICT


class StillOpen(Refusal):
    """A report with open differences cannot be signed off."""

    code, kind = "differences_open", Kind.CONFLICT


@transaction.atomic
def resolve_differences(
    *, ids: Collection[int], resolution: str, note: str, by: User, now: datetime
) -> list[Difference]:
    """Write down what was found out about differences, also when something else was thought before; those it is of.

    Raises ReportSigned where one of them is of a signed report, and then none is resolved.
    """
    differences = list(Difference.objects.filter(pk__in=ids))
    for report_id in sorted({each.report_id for each in differences}):
        opened(report_id)
    Difference.objects.filter(pk__in=[each.pk for each in differences]).update(
        resolution=resolution, note=note, resolved_by=by, resolved_at=now
    )
    return differences


@transaction.atomic
def sign_report(*, report_id: int, note: str, by: User, now: datetime) -> UsageReport:
    """Say that the report and the ledger agree, but for what is explained. Raises ReportSigned or StillOpen."""
    report = opened(report_id)
    if count := report.differences.filter(resolution=Resolution.OPEN).count():
        raise StillOpen(f"{count} difference(s) are open")
    report.state, report.note, report.signed_by, report.signed_at = UsageReport.State.SIGNED, note, by, now
    report.save(update_fields=["state", "note", "signed_by", "signed_at"])
    return report


@transaction.atomic
def withdraw_report(*, report_id: int) -> UsageReport:
    """Forget a report, because the platform sent a better one. What it settled stays settled. Raises ReportSigned."""
    report = opened(report_id)
    with connection.cursor() as cursor:
        for statement in FORGET:
            cursor.execute(statement, [report_id])
    return report


def opened(report_id: int) -> UsageReport:
    """The report, locked, so that nobody signs it meanwhile. Raises ReportSigned or UsageReport.DoesNotExist."""
    report = UsageReport.objects.select_for_update(of=("self",)).get(pk=report_id)
    if report.state == UsageReport.State.SIGNED:
        raise ReportSigned(f"report {report} is signed off")
    return report
