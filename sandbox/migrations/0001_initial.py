import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# The journal only grows: a line can be added, never changed or deleted. TRUNCATE, which the
# control door's reset uses, fires no row trigger.
APPEND_ONLY = """
CREATE FUNCTION sandbox_entry_is_final() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the journal only grows'; END $$;
CREATE TRIGGER entry_is_final BEFORE UPDATE OR DELETE ON sandbox_entry
    FOR EACH ROW EXECUTE FUNCTION sandbox_entry_is_final();
"""
UNDO = "DROP TRIGGER entry_is_final ON sandbox_entry; DROP FUNCTION sandbox_entry_is_final();"


class Migration(migrations.Migration):

    initial = True

    dependencies = [
    ]

    operations = [
        migrations.CreateModel(
            name='Artist',
            fields=[
                ('id', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='Fault',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.TextField()),
                ('behaviour', models.CharField(max_length=16)),
                ('left', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('user_id', models.CharField(max_length=255, unique=True)),
                ('country', models.CharField(max_length=2)),
            ],
        ),
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255)),
                ('licensor_id', models.PositiveIntegerField()),
                ('licensor_name', models.CharField(max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name='Note',
            fields=[
                ('name', models.CharField(max_length=32, primary_key=True, serialize=False)),
                ('value', models.JSONField()),
            ],
        ),
        migrations.CreateModel(
            name='Entry',
            fields=[
                ('seq', models.BigAutoField(primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=16)),
                ('call', models.PositiveBigIntegerField()),
                ('at', models.DateTimeField()),
                ('fields', models.JSONField()),
            ],
            options={
                'indexes': [models.Index(fields=['kind', 'seq'], name='entry_by_kind')],
            },
        ),
        migrations.CreateModel(
            name='Holder',
            fields=[
                ('user', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='sandbox.user')),
                ('client_id', models.CharField(max_length=255)),
                ('since', models.DateTimeField()),
                ('blocks', models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name='Nonce',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consumer_key', models.CharField(max_length=255)),
                ('timestamp', models.BigIntegerField()),
                ('value', models.CharField(max_length=255)),
                ('digest', models.CharField(max_length=64)),
                ('begun', models.BooleanField(default=False)),
                ('whole', models.BooleanField(default=False)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('consumer_key', 'timestamp', 'value'), name='nonce_is_used_once')],
            },
        ),
        migrations.CreateModel(
            name='Release',
            fields=[
                ('id', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('version', models.PositiveBigIntegerField(unique=True)),
                ('digest', models.CharField(max_length=64)),
                ('title', models.CharField(max_length=255)),
                ('subtitle', models.CharField(blank=True, max_length=255)),
                ('kind', models.CharField(max_length=16)),
                ('genre', models.CharField(max_length=64)),
                ('upc', models.CharField(max_length=14)),
                ('released_at', models.DateTimeField()),
                ('territories', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=2), size=None)),
                ('streams_from', models.DateTimeField(null=True)),
                ('downloads_from', models.DateTimeField(null=True)),
                ('cover', models.TextField(blank=True)),
                ('taken_down', models.BooleanField(default=False)),
                ('artist', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='sandbox.artist')),
                ('label', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='sandbox.label')),
            ],
        ),
        migrations.CreateModel(
            name='Subscription',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('plan_code', models.CharField(max_length=64)),
                ('starts_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='subscriptions', to='sandbox.user')),
            ],
        ),
        migrations.CreateModel(
            name='Track',
            fields=[
                ('id', models.PositiveIntegerField(primary_key=True, serialize=False)),
                ('isrc', models.CharField(blank=True, max_length=12)),
                ('title', models.CharField(max_length=255)),
                ('subtitle', models.CharField(blank=True, max_length=255)),
                ('disc_number', models.PositiveIntegerField()),
                ('track_number', models.PositiveIntegerField()),
                ('seconds', models.FloatField()),
                ('explicit', models.BooleanField(default=False)),
                ('source', models.TextField(blank=True)),
                ('artist', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='sandbox.artist')),
                ('release', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tracks', to='sandbox.release')),
            ],
            options={
                'ordering': ['release', 'disc_number', 'track_number', 'id'],
            },
        ),
        migrations.CreateModel(
            name='Usage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('consumer_key', models.CharField(max_length=255)),
                ('day', models.DateField()),
                ('calls', models.PositiveIntegerField()),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('consumer_key', 'day'), name='usage_one_row_per_day')],
            },
        ),
        migrations.RunSQL(APPEND_ONLY, UNDO),
    ]
