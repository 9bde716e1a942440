"""Sales and refunds ("Credit item", "Report release refund")."""

from __future__ import annotations

from typing import Final

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from sandbox import answers, clock, instants, journal, sales
from sandbox.answers import Refused
from sandbox.calls import Call, Parameters, invalid
from sandbox.gate import signed
from sandbox.holdings import FORMATS
from sandbox.models import FIRST_PURCHASE, Release, Sale
from sandbox.views.offline import find_user

PACKAGE: Final = 2
FIELDS: Final = ("userId", "country", "transactionId", "retailPrice", "currency", "emailAddress", "postCode")


@signed
def deliver(request: HttpRequest, call: Call) -> HttpResponse:
    """GET /1.2/user/deliveritem?userId&releaseId&country&transactionId&retailPrice&currency → `purchase`, in XML only.

    With trackId that track alone is sold, else the whole release; packageId is 2 by default. 1001, 1002, 2001 for
    an unknown user and for what does not exist in that country, 2002 for what is not (yet) for sale. It changes
    state though it is a GET, and every accepted call is another sale, whatever its transactionId.
    """
    user_id, country = call.query.text("userId"), call.query.country()
    release_id, track_id = call.query.integer("releaseId"), call.query.optional("trackId")
    package_id = call.query.optional("packageId") or PACKAGE
    _check_words(call.query, country)
    if package_id not in FORMATS:
        raise invalid("packageId", str(package_id))
    release = _for_sale(release_id, track_id, country)
    with transaction.atomic():
        sale = Sale.objects.create(
            user=find_user(user_id),
            release=release,
            track_id=track_id,
            country=country,
            package_id=package_id,
            sold_at=clock.now(),
        )
        given = {name: call.query.find(name) for name in FIELDS if call.query.find(name)}
        ids = {"purchaseId": sale.purchase_id, "releaseId": release_id, "trackId": track_id, "packageId": package_id}
        journal.record("sales", given | ids | {"country": country})
    purchase = {"@id": sale.purchase_id, "purchaseDate": instants.iso(sale.sold_at)}
    return answers.ok(request, {"purchase": purchase})


@signed
def refund_release(request: HttpRequest, call: Call, purchase: str, release: str) -> HttpResponse:
    """DELETE /1.2/user/purchase/{purchaseId}/release/{releaseId}?country=… → what was refunded.

    2001 for a sale that is none, is another's, or is refunded already; 2002 after its reporting period.
    """
    call.query.country()
    return _refund(request, call, purchase, "release", release)


@signed
def refund_track(request: HttpRequest, call: Call, purchase: str, track: str) -> HttpResponse:
    """DELETE /1.2/user/purchase/{purchaseId}/track/{trackId}, for a track that was sold by itself.

    The guide asks for no country here; where there is one it must be the sale's (our choice). The answer is by
    analogy.
    """
    return _refund(request, call, purchase, "track", track)


def _check_words(given: Parameters, country: str) -> None:
    """The fields that are no ids."""
    given.text("transactionId")
    for name in settings.SALE_REQUIRED:
        given.text(name)
    price, currency, postcode = given.find("retailPrice"), given.find("currency"), given.find("postCode")
    if price and not sales.is_price(price):
        raise invalid("retailPrice", price)
    if currency and not sales.is_currency(currency):
        raise invalid("currency", currency)
    if given.find("emailAddress") and "@" not in given.text("emailAddress"):
        raise invalid("emailAddress", given.find("emailAddress"))
    if postcode and not (country in settings.POSTCODE_COUNTRIES and sales.is_postcode(postcode, country=country)):
        raise invalid("postCode", postcode)


def _for_sale(release_id: int, track_id: int | None, country: str) -> Release:
    release = Release.objects.filter(pk=release_id, taken_down=False, territories__contains=[country]).first()
    if release is None:
        raise Refused(2001, "Release not found: it is not available in this country or shop")
    if track_id is not None and not release.tracks.filter(pk=track_id).exists():
        raise Refused(2001, "Track not found on this release")
    if release.downloads_from is None:
        raise Refused(2002, "The release is not available for download")
    if release.downloads_from > clock.now():
        raise Refused(2002, f"Pre-release: for sale from {instants.iso(release.downloads_from)}")
    return release


def _refund(request: HttpRequest, call: Call, purchase: str, kind: str, item: str) -> HttpResponse:
    path = Parameters([("purchaseId", purchase), (f"{kind}Id", item)])
    purchase_id, item_id = path.integer("purchaseId"), path.integer(f"{kind}Id")
    words = f"sale with purchaseId {purchase_id} and {kind}Id {item_id}"
    country = call.query.country() if call.query.find("country") else ""
    with transaction.atomic():
        found = Sale.objects.select_for_update().filter(pk=purchase_id - FIRST_PURCHASE, refunded_at=None)
        what = {"release": item_id, "track_id": None} if kind == "release" else {"track_id": item_id}
        sale = found.filter(**what).first()
        if sale is None or country not in ("", sale.country):
            raise Refused(2001, f"Cannot find {words}")
        now = clock.now()
        if not sales.is_open(sale.sold_at, now=now, day=settings.REFUND_DAY):
            raise Refused(2002, f"Cannot exclude {words}")
        sale.refunded_at = now
        sale.save(update_fields=["refunded_at"])
        line = {"purchaseId": purchase_id, f"{kind}Id": item_id, "userId": sale.user.user_id, "country": sale.country}
        journal.record("refunds", line)
    ids = {"purchaseId": str(purchase_id), f"{kind}Id": str(item_id)}
    return answers.ok(request, ids if answers.wants_json(request) else {kind: ids})
