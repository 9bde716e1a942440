from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalogue", "0011_wording")]

    operations = [
        migrations.AddField(
            "catalogueevent",
            "needed_at",
            models.DateTimeField(
                help_text="when it was last old enough to go, and a release stood on it", null=True
            ),
        ),
    ]
