"""The shop's part of the demonstration: a release is bought, downloaded, and given back."""

from __future__ import annotations

import io
import uuid
import zipfile
from datetime import UTC, datetime
from typing import Any

from config.letters import COUNTRY, purchase_event
from config.visitor import Failed, Visitor, fail, short

PRICE = "7.99"


def buy(visitor: Visitor) -> str:
    """Billing says that it was paid, twice; the platform logs one sale, and the locker holds the release."""
    release, transaction = visitor.seen.track["release"], f"T-{uuid.uuid4().hex[:12]}"
    event = purchase_event(
        account_id=visitor.seen.account_id, transaction_id=transaction, release_id=release["id"], price=PRICE,
        now=datetime.now(UTC),
    )  # fmt: skip
    for answer in (visitor.billing(event), visitor.billing(event)):
        if not answer.ok:
            fail("a purchase was refused", answer)
    bought = once(visitor, transaction, "CONFIRMED")
    sales = visitor.journal("sales", transactionId=transaction)
    if len(sales) != 1:
        fail(f"the platform logged {len(sales)} sales for one payment")
    visitor.seen.purchase = bought
    return f"told twice, sold once · “{release['title']}” for {PRICE} GBP, sale {short(str(sales[0]['purchaseId']))}"


def download(visitor: Visitor) -> str:
    """The purchase as a ZIP, and every track of it in the locker."""
    held = visitor.api("GET", "/api/v1/locker", params={"purchase_id": visitor.seen.purchase["id"]}).json()
    issued = visitor.api("POST", "/api/v1/downloads", json={"purchase_id": visitor.seen.purchase["id"]})
    if issued.status_code != 201:
        fail("no download was issued", issued)
    answer = visitor.http.get(issued.json()["url"], timeout=60)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        names, broken = archive.namelist(), archive.testzip()
    tracks = held["results"][0]["tracks"]
    if broken or len(names) != len(tracks):
        fail(f"the ZIP has {len(names)} files, the locker {len(tracks)} tracks")
    return f"{len(answer.content):,} bytes {answer.headers['Content-Type']} · {len(names)} tracks, whole"


def give_back(visitor: Visitor) -> str:
    """The money goes back, and the sale out of the platform's report."""
    line, transaction = visitor.seen.purchase["lines"][0], visitor.seen.purchase["transaction_id"]
    data = {"transaction_id": transaction, "release_id": line["release_id"]}
    now = datetime.now(UTC).isoformat()
    answer = visitor.billing({"type": "purchase.refunded", "timestamp": now, "data": data})
    if not answer.ok:
        fail("a refund was refused", answer)
    once(visitor, transaction, "REFUNDED")
    (sale,) = visitor.journal("sales", transactionId=transaction)
    if len(visitor.journal("refunds", purchaseId=sale["purchaseId"])) != 1:
        fail("the platform's journal does not know the refund")
    left = visitor.api("GET", "/api/v1/locker").json()["total_items"]
    return f"{COUNTRY} sale taken out of the report · {left} releases left in the locker"


def once(visitor: Visitor, transaction: str, state: str) -> dict[str, Any]:
    """The purchase, when it has come so far. Raises Failed, saying how far it has."""
    purchase: dict[str, Any] = {}

    def arrived() -> bool:
        mine = visitor.api("GET", "/api/v1/purchases").json()["results"]
        purchase.update(next((each for each in mine if each["transaction_id"] == transaction), {}))
        return bool(purchase) and purchase["state"] == state

    try:
        visitor.until(arrived, f"the purchase is not {state}")
    except Failed as late:
        raise Failed(f"{late}: {purchase.get('state', 'there is none')}") from late
    return purchase
