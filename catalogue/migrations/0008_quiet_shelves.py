"""What is off the shelves keeps its words for staff alone; and PostgreSQL learns enough of the words to judge how many
rows hold one."""

import django.contrib.postgres.indexes
import django.contrib.postgres.search
from django.db import migrations

TABLES = ("catalogue_track", "catalogue_release", "catalogue_artist")


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0007_tags")]

    operations = [
        *(
            migrations.AddField(
                model_name=name,
                name="former_search",
                field=django.contrib.postgres.search.SearchVectorField(
                    help_text="the words of what is off the shelves, for staff", null=True
                ),
            )
            for name in ("track", "release")
        ),
        migrations.RunSQL(
            "UPDATE catalogue_track t SET search = NULL, former_search = t.search FROM catalogue_release r"
            " WHERE r.id = t.release_id AND (t.gone_at IS NOT NULL OR r.taken_down_at IS NOT NULL)",
            "UPDATE catalogue_track SET search = former_search WHERE search IS NULL",
        ),
        migrations.RunSQL(
            "UPDATE catalogue_release SET search = NULL, former_search = search WHERE taken_down_at IS NOT NULL",
            "UPDATE catalogue_release SET search = former_search WHERE search IS NULL",
        ),
        *(
            migrations.AddIndex(
                model_name=name,
                index=django.contrib.postgres.indexes.GinIndex(
                    fields=["former_search"], gin_pending_list_limit=256, name=f"{name}_former_search"
                ),
            )
            for name in ("track", "release")
        ),
        *(
            migrations.RunSQL(
                f"ALTER TABLE {table} ALTER search SET STATISTICS 300", f"ALTER TABLE {table} ALTER search SET STATISTICS -1"
            )
            for table in TABLES
        ),
    ]
