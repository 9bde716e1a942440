from django.db import migrations

NOTICE = """
    CREATE FUNCTION streamholder_notice() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_notify('streamholder', NEW.listener_id::text);
        RETURN NULL;
    END $$;
    CREATE TRIGGER streamholder_notice AFTER UPDATE ON streaming_streamholder FOR EACH ROW
        WHEN (OLD.client_id <> NEW.client_id OR NEW.plays_until < OLD.plays_until)
        EXECUTE FUNCTION streamholder_notice();
    CREATE TRIGGER streamholder_first AFTER INSERT ON streaming_streamholder FOR EACH ROW
        EXECUTE FUNCTION streamholder_notice();
"""
NO_NOTICE = """
    DROP TRIGGER streamholder_first ON streaming_streamholder;
    DROP TRIGGER streamholder_notice ON streaming_streamholder;
    DROP FUNCTION streamholder_notice();
"""


class Migration(migrations.Migration):
    dependencies = [("streaming", "0002_devices")]

    operations = [migrations.RunSQL(NOTICE, NO_NOTICE)]
