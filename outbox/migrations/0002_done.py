from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # Messages go on being written meanwhile. Building waits for whatever transaction has begun before, however long it
    # takes; given up halfway, it would leave an index that is good for nothing and in the way of the next attempt.
    atomic = False

    dependencies = [("outbox", "0001_initial")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        AddIndexConcurrently(
            "message",
            models.Index(
                fields=["topic", "finished_at"], condition=models.Q(("state", "DONE")), name="message_done"
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
