from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Plays go on being batched meanwhile. Building waits for whatever transaction has begun before, however long it
    # takes; given up halfway, it would leave an index that is good for nothing and in the way of the next attempt.
    atomic = False

    dependencies = [("usage", "0005_usage_reports")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        AddIndexConcurrently(
            "playbatch",
            models.Index(
                fields=["created_at"],
                condition=models.Q(("state__in", ["SENT", "SPLIT", "REJECTED", "EXPIRED", "RETURNED"])),
                name="playbatch_over",
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
