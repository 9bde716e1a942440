from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0001_initial'),
    ]

    operations = [
        migrations.AlterField(
            model_name='billingevent',
            name='state',
            field=models.CharField(choices=[('WAITING', 'waiting'), ('HANDLED', 'handled'), ('IGNORED', 'of a kind nobody here handles'), ('REFUSED', 'refused: not understood'), ('SANDBOX', 'a test event, kept apart'), ('DEAD', 'dead: needs a person')], default='WAITING', max_length=16),
        ),
    ]
