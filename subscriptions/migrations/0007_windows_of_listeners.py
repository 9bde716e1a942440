import django.db.models.deletion
from django.db import migrations, models

WHOSE = """
    UPDATE subscriptions_platformwindow w SET listener_id = s.listener_id
      FROM subscriptions_subscription s WHERE s.id = w.subscription_id
"""


def listener(**options: bool) -> models.ForeignKey:
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT, related_name="windows", to="accounts.listener", db_index=False,
        **options,
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0004_history"),
        ("subscriptions", "0006_gifts"),
    ]

    operations = [
        migrations.AddField("platformwindow", "listener", listener(null=True)),
        migrations.RunSQL(WHOSE, migrations.RunSQL.noop),
        # PostgreSQL alters no table on which foreign keys are still to be checked.
        migrations.RunSQL("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED", migrations.RunSQL.noop),
        migrations.AlterField("platformwindow", "listener", listener()),
        migrations.AddIndex(
            "platformwindow",
            models.Index(fields=["listener", "-created_at", "-starts_at"], name="platformwindow_of_listener"),
        ),
    ]
