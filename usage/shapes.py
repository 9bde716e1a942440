"""What reports of plays have in common, of subscribers or of clips, and what a device is told of them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class Report(serializers.Serializer[Any]):
    """Plays to report, and what the device's clock shows."""

    sent_at = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="what the device's clock shows now; a wrong one is set right by it",
    )


class Verdicts(serializers.Serializer[Any]):
    """One verdict per play, by its index; those not named were accepted or are duplicates."""

    class Rejected(serializers.Serializer[Any]):
        index = serializers.IntegerField()
        play_id = serializers.CharField(allow_null=True)
        code = serializers.CharField()
        detail = serializers.CharField()

    accepted = serializers.IntegerField()
    duplicates = serializers.IntegerField()
    rejected = Rejected(many=True)
