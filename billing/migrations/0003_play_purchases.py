from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0002_sandbox'),
    ]

    operations = [
        migrations.CreateModel(
            name='PlayPurchase',
            fields=[
                ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('external_id', models.CharField(max_length=255)),
                ('replaced', models.BooleanField(default=False, help_text='another purchase has taken its place')),
            ],
        ),
    ]
