"""The control door's reports: on the real platform they come by themselves, on the 10th of a month."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime

from django.http import FileResponse, HttpRequest, HttpResponseBase, JsonResponse, StreamingHttpResponse

from sandbox import instants, report
from sandbox.report import Order, TooFew
from sandbox.views.control import Unclear, local_only

MOST_ERRORS = 100_000


@local_only
def usage_report(request: HttpRequest) -> HttpResponseBase:
    """GET ?month=2026-11 or ?from=…&to=…, &as=csv|xlsx, &errors=10&seed=1 → the report of the plays logged then."""
    order, kind = _order(request), request.GET.get("as", "csv")
    if kind == "csv":
        _check(order)
        return StreamingHttpResponse(report.as_csv(order), content_type="text/csv; charset=utf-8")
    if kind != "xlsx":
        raise Unclear("as is csv or xlsx")
    file = tempfile.TemporaryFile()  # noqa: SIM115  the answer closes it
    try:
        report.write_xlsx(order, file)
    except TooFew as error:
        raise Unclear(str(error)) from error
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename="usage-report.xlsx")


@local_only
def usage_report_errors(request: HttpRequest) -> HttpResponseBase:
    """GET with the same query → which errors that report has: `missing`, `extra` and `changed`."""
    try:
        return JsonResponse(report.errors(_order(request)))
    except TooFew as error:
        raise Unclear(str(error)) from error


def _check(order: Order) -> None:
    """Complain before the first byte is out."""
    try:
        next(report.telling(order), None)
    except TooFew as error:
        raise Unclear(str(error)) from error


def _order(request: HttpRequest) -> Order:
    month, query = request.GET.get("month"), request.GET
    try:
        if month is not None:
            start = datetime.strptime(month, "%Y-%m").replace(tzinfo=UTC)
            end = start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
        else:
            start, end = instants.parse(query.get("from", "")), instants.parse(query.get("to", ""))
        errors, seed = int(query.get("errors", "0")), int(query.get("seed", "0"))
    except ValueError:
        raise Unclear("give month=2026-11, or from and to with their offsets; errors and seed are numbers") from None
    if not 0 <= errors <= MOST_ERRORS or start >= end:
        raise Unclear(f"from lies before to; errors go from 0 to {MOST_ERRORS}")
    return Order(start=start, end=end, errors=errors, seed=seed)
