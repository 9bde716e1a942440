"""Usage reports and their differences as lists, and a report's own page."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.decorators import action

from desk.cells import Table, label
from desk.rows import LongList, ReadOnly
from desk.story import listed
from usage.desk import lines
from usage.desk.reconciling import MOST_AT_ONCE
from usage.models import Difference, UsageReport

KINDS: Final = Difference.Kind


@admin.register(UsageReport)
class UsageReportAdmin(ReadOnly, ModelAdmin):
    """What the platform says it logged, beside what we say we sent."""

    list_display = ["period", "file_name", "plays", "matched", "still_open", "standing", "imported_at"]
    list_filter = ["state"]
    search_fields = ["file_name", "=sha256"]
    ordering = ["-starts_at"]
    fields = [
        ("starts_at", "ends_at"), ("file_name", "state"), ("imported_at", "imported_by"), ("signed_at", "signed_by"),
        "note",
    ]  # fmt: skip
    actions_list = ["bring"]
    actions_detail = ["sign", "withdraw"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageReport]:
        reports: QuerySet[UsageReport] = super().get_queryset(request)
        return reports.annotate(still_open=Count("differences", filter=Q(differences__resolution="OPEN")))

    @admin.display(description="covers", ordering="starts_at")
    def period(self, report: UsageReport) -> str:
        return f"{report.starts_at:%Y-%m-%d} to {report.ends_at:%Y-%m-%d}"

    @admin.display(description="open differences")
    def still_open(self, report: Any) -> int:
        return int(report.still_open)

    @admin.display(description="state", ordering="state")
    def standing(self, report: UsageReport) -> SafeString:
        return label(report.state, "success" if report.state == "SIGNED" else "warning")

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        context |= story_of(kwargs["obj"])
        return super().render_change_form(request, context, *args, **kwargs)

    def has_bring_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.add_usagereport")

    @action(description="Import a report", icon="upload_file", permissions=["bring"])
    def bring(self, request: HttpRequest) -> HttpResponse:
        return redirect("import_report")

    def has_sign_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("usage.sign_usagereport") and self.is_open(request, object_id)

    @action(description="Sign off", icon="signature", permissions=["sign"])
    def sign(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("sign_report", report_id=object_id)

    def has_withdraw_permission(self, request: HttpRequest, object_id: str) -> bool:
        return request.user.has_perm("usage.delete_usagereport") and self.is_open(request, object_id)

    @action(description="Withdraw", icon="undo", permissions=["withdraw"])
    def withdraw(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return redirect("withdraw_report", report_id=object_id)

    def is_open(self, request: HttpRequest, object_id: str) -> bool:
        report = self.get_object(request, object_id)
        return report is not None and report.state == UsageReport.State.OPEN


def story_of(report: UsageReport) -> dict[str, Any]:
    """What the report's page shows below its facts."""
    opened = report.differences.filter(resolution=Difference.Resolution.OPEN).order_by("pk")
    return {
        "counts": [
            (report.plays, "lines in the report"), (report.matched, "equal to plays of ours"),
            (report.arrived, "in doubt before, had arrived"), (report.returned, "in doubt before, sent again"),
            (report.expired, "in doubt before, too old by now"), (report.undecided, "may be in a neighbour’s report"),
        ],
        "kinds": kinds_table(report), "days": by_day(report),
        "open": lines.differences_table(lines.with_plays(opened)[: lines.SHOWN]),
        "resolve_all": resolve_page([each.pk for each in opened.only("pk")[: lines.SHOWN]]),
    }  # fmt: skip


def kinds_table(report: UsageReport) -> Table:
    """How many differences of each kind, and how many of these are open."""
    opened = Count("pk", filter=Q(resolution=Difference.Resolution.OPEN))
    counts = report.differences.order_by().values_list("kind").annotate(many=Count("pk"), opened=opened)
    found = {kind: (count, opened) for kind, count, opened in counts}
    rows = []
    for kind in KINDS:
        count, opened = found.get(kind, (0, 0))
        here = {"report__id__exact": report.pk, "kind__exact": kind}
        rows.append(
            [
                label(kind, lines.COLOURS[kind]), kind.label, listed("usage.Difference", count, **here),
                listed("usage.Difference", opened, resolution__exact="OPEN", **here),
            ]
        )  # fmt: skip
    return Table(headers=["what", "meaning", "how many", "still open"], rows=rows)


def by_day(report: UsageReport) -> list[dict[str, Any]]:
    """The days with plays on either side, and what each is of the best, in percent."""
    best = max([1, *(count for _, *both in report.days for count in both)])
    return [
        {
            "day": day, "ours": ours, "theirs": theirs,
            "our_height": round(100 * ours / best), "their_height": round(100 * theirs / best),
        }
        for day, ours, theirs in report.days
    ]  # fmt: skip


def resolve_page(ids: list[int]) -> str:
    return f"{reverse('resolve')}?id={','.join(map(str, ids))}"


@admin.register(Difference)
class DifferenceAdmin(LongList, ModelAdmin):
    """Everything on which reports and the ledger do not agree."""

    list_display = ["what", "report", "user", "ours", "theirs", "found_out"]
    list_display_links = None  # a row says all there is
    list_filter = ["kind", "resolution", "report"]
    search_fields = ["=listener__platform_id", "=row__user_id", "=row__stream_id"]
    ordering = ["-id"]
    actions = ["resolve"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Difference]:
        return lines.with_plays(super().get_queryset(request)).select_related("report")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup == "report__id__exact" or super().lookup_allowed(lookup, value, request)

    @admin.display(description="what")
    def what(self, difference: Difference) -> SafeString:
        return lines.kind(difference)

    @admin.display(description="user")
    def user(self, difference: Difference) -> str:
        return lines.user(difference)

    @admin.display(description="our ledger")
    def ours(self, difference: Difference) -> SafeString | str:
        return lines.ours(difference)

    @admin.display(description="the report")
    def theirs(self, difference: Difference) -> SafeString | str:
        return lines.theirs(difference)

    @admin.display(description="found out")
    def found_out(self, difference: Difference) -> SafeString | str:
        return lines.found_out(difference)

    def has_resolve_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("usage.change_difference")

    @admin.action(description="Write down what was found out", permissions=["resolve"])
    def resolve(self, request: HttpRequest, differences: QuerySet[Difference]) -> HttpResponse | None:
        ids = list(differences.order_by("pk").values_list("pk", flat=True)[: MOST_AT_ONCE + 1])
        if len(ids) > MOST_AT_ONCE:
            messages.error(request, f"Choose at most {MOST_AT_ONCE} at once.")
            return None
        return redirect(resolve_page(ids))
