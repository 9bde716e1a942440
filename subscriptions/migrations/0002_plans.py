"""The plan codes that the platform's documentation shows. Real ones come from its client manager."""

from django.db import migrations

PLANS = [
    {"code": "premium-unlimited-streaming", "name": "Premium", "trial": False, "offline": True},
    {"code": "standard-unlimited-streaming", "name": "Standard", "trial": False, "offline": False},
    {"code": "trial-unlimited-streaming", "name": "Trial", "trial": True, "offline": False},
]


def add_plans(apps, schema_editor):
    Plan = apps.get_model("subscriptions", "Plan")
    Plan.objects.bulk_create([Plan(**plan) for plan in PLANS], ignore_conflicts=True)


class Migration(migrations.Migration):
    dependencies = [("subscriptions", "0001_initial")]
    operations = [migrations.RunPython(add_plans, migrations.RunPython.noop)]
