from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models
from django.db.models.functions import Coalesce


class Migration(migrations.Migration):
    # Events go on coming meanwhile. Building waits for whatever transaction has begun before, however long it takes;
    # given up halfway, it would leave an index that is good for nothing and in the way of the next attempt.
    atomic = False

    dependencies = [("catalogue", "0012_needed_at")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        AddIndexConcurrently(
            "catalogueevent",
            models.Index(
                Coalesce("needed_at", "received_at"),
                condition=models.Q(("state", "APPLIED")),
                name="catalogueevent_oldest",
            ),
        ),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
