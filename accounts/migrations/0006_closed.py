from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Listeners go on signing up meanwhile. Building waits for whatever transaction has begun before, however long it
    # takes; given up halfway, it would leave an index that is good for nothing and in the way of the next attempt.
    atomic = False

    dependencies = [("accounts", "0005_second_factor")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        AddIndexConcurrently(
            "listener",
            models.Index(
                fields=["closed_at"], condition=models.Q(("closed_at__isnull", False)), name="listener_closed"
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
