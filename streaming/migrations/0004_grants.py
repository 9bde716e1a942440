import django.db.models.fields.composite
from django.db import migrations, models
from django.utils import timezone

from usage.partitions import ensure_partitions

PARTITIONED = """
    CREATE TABLE streaming_grant (
        listener_id uuid NOT NULL,
        issued_at timestamptz NOT NULL,
        stream_id uuid NOT NULL,
        track_id integer NOT NULL,
        release_id integer NOT NULL,
        format_id integer NOT NULL,
        client_id varchar(255) NOT NULL,
        country varchar(2) NOT NULL,
        offline boolean NOT NULL,
        PRIMARY KEY (listener_id, issued_at, stream_id)
    ) PARTITION BY RANGE (issued_at);
    -- Nothing should ever land here: months are made ahead of time. If it does, it is kept.
    CREATE TABLE streaming_grant_other PARTITION OF streaming_grant DEFAULT;
"""


def make_partitions(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        ensure_partitions(now=timezone.now(), table="streaming_grant", cursor=cursor)


class Migration(migrations.Migration):
    dependencies = [("streaming", "0003_notice")]

    operations = [
        migrations.AddField("streamholder", "others", models.JSONField(default=dict, db_default={})),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.CreateModel(
                    name="StreamGrant",
                    fields=[
                        (
                            "pk",
                            django.db.models.fields.composite.CompositePrimaryKey(
                                "listener_id", "issued_at", "stream_id", blank=True, editable=False,
                                primary_key=True, serialize=False,
                            ),
                        ),
                        ("listener_id", models.UUIDField()),
                        ("issued_at", models.DateTimeField()),
                        ("stream_id", models.UUIDField()),
                        ("track_id", models.IntegerField()),
                        ("release_id", models.IntegerField()),
                        ("format_id", models.IntegerField()),
                        ("client_id", models.CharField(max_length=255)),
                        ("country", models.CharField(max_length=2)),
                        ("offline", models.BooleanField()),
                    ],
                    options={"db_table": "streaming_grant"},
                ),
            ],
            database_operations=[migrations.RunSQL(PARTITIONED, "DROP TABLE streaming_grant")],
        ),
        migrations.RunPython(make_partitions, migrations.RunPython.noop),
    ]
