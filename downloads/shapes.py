"""The shapes purchases come in and go out."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from downloads.models import Purchase
from downloads.rules import STANDARD_PACKAGE, price_in
from kernel.postcodes import postcode_for
from web.fields import CatalogueId, Text, country_exists, currency_exists


def is_a_price(text: str) -> None:
    try:
        price_in(text)
    except ValueError as error:
        raise serializers.ValidationError(str(error)) from None


class PurchasePaid(serializers.Serializer[Any]):
    """The data of a `purchase.paid` event: one release, or one track on it (Download guide §3)."""

    account_id = serializers.UUIDField()
    transaction_id = Text(max_length=255)
    release_id = CatalogueId()
    track_id = CatalogueId(required=False, allow_null=True)
    package_id = CatalogueId(required=False, allow_null=True, help_text=f"{STANDARD_PACKAGE} unless told")
    retail_price = Text(validators=[is_a_price], help_text='such as "7.99"; "0" for a gift')
    currency = serializers.CharField(validators=[currency_exists])
    country = serializers.CharField(validators=[country_exists])
    post_code = Text(max_length=32, required=False, allow_null=True, allow_blank=True)
    email = serializers.EmailField(max_length=254, required=False, allow_null=True, allow_blank=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            postcode_for(attrs["country"], attrs.get("post_code") or "")
        except ValueError as error:
            raise serializers.ValidationError({"post_code": str(error)}) from None
        return attrs


class PurchaseRefunded(serializers.Serializer[Any]):
    """The data of a `purchase.refunded` event: what of a transaction was given back."""

    transaction_id = Text(max_length=255)
    release_id = CatalogueId(required=False, allow_null=True)
    track_id = CatalogueId(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("release_id") is None and attrs.get("track_id") is None:
            raise serializers.ValidationError({"release_id": "or track_id is required"}, code="required")
        return attrs


class PurchaseLine(serializers.ModelSerializer[Purchase]):
    """What was bought, named as it was on the day."""

    class Meta:
        model = Purchase
        fields = ["release_id", "track_id", "title", "version", "artist_name", "release_title", "retail_price"]
        read_only_fields = fields
        ref_name = "PurchaseLine"


class PurchaseShape(serializers.ModelSerializer[Purchase]):
    """A purchase: one transaction. It has one line today; an app that shows a list is ready for more."""

    lines = serializers.SerializerMethodField()

    class Meta:
        model = Purchase
        fields = ["id", "transaction_id", "state", "paid_at", "currency", "country", "lines"]
        read_only_fields = fields
        ref_name = "Purchase"

    @extend_schema_field(PurchaseLine(many=True))
    def get_lines(self, purchase: Purchase) -> Any:
        return [PurchaseLine(purchase).data]
