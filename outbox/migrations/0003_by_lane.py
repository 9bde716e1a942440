from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    # As 0002_done.
    atomic = False

    dependencies = [("outbox", "0002_done")]

    operations = [
        migrations.RunSQL("SET lock_timeout = 0", "RESET lock_timeout"),
        AddIndexConcurrently("message", models.Index(fields=["lane", "-id"], name="message_by_lane")),
        migrations.RunSQL("RESET lock_timeout", "SET lock_timeout = 0"),
    ]
