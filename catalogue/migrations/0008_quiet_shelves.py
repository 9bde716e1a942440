"""What is off the shelves has no words; and PostgreSQL learns enough of the words to judge how many rows hold one."""

from django.db import migrations

TABLES = ("catalogue_track", "catalogue_release", "catalogue_artist")


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0007_tags")]

    operations = [
        migrations.RunSQL(
            "UPDATE catalogue_track t SET search = NULL FROM catalogue_release r"
            " WHERE r.id = t.release_id AND (t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL)",
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL(
            "UPDATE catalogue_release SET search = NULL WHERE taken_down_at IS NOT NULL", migrations.RunSQL.noop
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} ALTER search SET STATISTICS 300", f"ALTER TABLE {table} ALTER search SET STATISTICS -1"
            )
            for table in TABLES
        ),
    ]
