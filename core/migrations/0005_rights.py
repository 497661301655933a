from django.db import migrations, models
from django.db.models.functions import Now

# Who has just been given an account, a password or a role is not yet one who can vouch for others; see
# `billing.approvers`. Written here, so that no way to change them is forgotten.
NOTED = """
CREATE FUNCTION core_user_note_rights() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (OLD.password, OLD.is_active, OLD.is_staff, OLD.is_superuser)
       IS DISTINCT FROM (NEW.password, NEW.is_active, NEW.is_staff, NEW.is_superuser) THEN
        NEW.rights_changed_at := now();
    END IF;
    NEW.rights_changed_at := greatest(NEW.rights_changed_at, OLD.rights_changed_at);
    RETURN NEW;
END $$;
CREATE TRIGGER core_user_rights BEFORE UPDATE ON core_user FOR EACH ROW EXECUTE FUNCTION core_user_note_rights();

CREATE FUNCTION core_user_note_grant() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE core_user SET rights_changed_at = now() WHERE id = NEW.user_id;
    RETURN NULL;
END $$;
CREATE TRIGGER core_user_groups_granted AFTER INSERT OR UPDATE ON core_user_groups
    FOR EACH ROW EXECUTE FUNCTION core_user_note_grant();
CREATE TRIGGER core_user_permissions_granted AFTER INSERT OR UPDATE ON core_user_user_permissions
    FOR EACH ROW EXECUTE FUNCTION core_user_note_grant();
"""

FORGOTTEN = """
DROP TRIGGER core_user_permissions_granted ON core_user_user_permissions;
DROP TRIGGER core_user_groups_granted ON core_user_groups;
DROP TRIGGER core_user_rights ON core_user;
DROP FUNCTION core_user_note_grant();
DROP FUNCTION core_user_note_rights();
"""


class Migration(migrations.Migration):
    dependencies = [("core", "0004_webhooks")]

    operations = [
        migrations.AddField(
            "user", "rights_changed_at", models.DateTimeField(db_default=Now(), editable=False)
        ),
        migrations.RunSQL(NOTED, FORGOTTEN),
    ]
