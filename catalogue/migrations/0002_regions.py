import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models

# The id is catalogue.regions.region_id, in SQL.
DIGEST = """
    ('x' || substr(md5((SELECT string_agg(DISTINCT t, ',' ORDER BY t) FROM unnest(territories) AS t)), 1, 15))::bit(60)::bigint
"""
FILL = f"""
    INSERT INTO catalogue_region (id, territories)
    SELECT DISTINCT ON (id) id, ARRAY(SELECT DISTINCT t FROM unnest(territories) AS t ORDER BY t)
      FROM (SELECT {DIGEST} AS id, territories FROM catalogue_offer) AS offers;
    UPDATE catalogue_offer SET region_id = {DIGEST};
"""


class Migration(migrations.Migration):

    dependencies = [
        ('catalogue', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Region',
            fields=[
                ('id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('territories', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=2), size=None)),
            ],
        ),
        migrations.AddField(
            model_name='offer',
            name='region',
            field=models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='catalogue.region'),
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
        migrations.RunSQL('SET CONSTRAINTS ALL IMMEDIATE', migrations.RunSQL.noop),
        migrations.AlterField(
            model_name='offer',
            name='region',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='catalogue.region'),
        ),
        migrations.RemoveField(
            model_name='offer',
            name='territories',
        ),
    ]
