import django.contrib.auth.models
import django.contrib.auth.validators
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


# The service's clock as every process and every view reads it: the database's, plus the sandbox's offset.
CLOCK = """
INSERT INTO core_clock (id, offset_ms) VALUES (1, 0);

CREATE FUNCTION core_clock_refuse_backwards() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the clock moves forward only' USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER core_clock_forward_only BEFORE UPDATE ON core_clock FOR EACH ROW
    WHEN (NEW.offset_ms < OLD.offset_ms) EXECUTE FUNCTION core_clock_refuse_backwards();

CREATE FUNCTION paygo_now() RETURNS timestamptz LANGUAGE sql VOLATILE AS $$
    SELECT clock_timestamp() + offset_ms * interval '1 millisecond' FROM core_clock WHERE id = 1
$$;
"""


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '0012_alter_user_first_name_max_length'),
    ]

    operations = [
        migrations.CreateModel(
            name='User',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('password', models.CharField(max_length=128, verbose_name='password')),
                ('last_login', models.DateTimeField(blank=True, null=True, verbose_name='last login')),
                ('is_superuser', models.BooleanField(default=False, help_text='Designates that this user has all permissions without explicitly assigning them.', verbose_name='superuser status')),
                ('username', models.CharField(error_messages={'unique': 'A user with that username already exists.'}, help_text='Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.', max_length=150, unique=True, validators=[django.contrib.auth.validators.UnicodeUsernameValidator()], verbose_name='username')),
                ('first_name', models.CharField(blank=True, max_length=150, verbose_name='first name')),
                ('last_name', models.CharField(blank=True, max_length=150, verbose_name='last name')),
                ('email', models.EmailField(blank=True, max_length=254, verbose_name='email address')),
                ('is_staff', models.BooleanField(default=False, help_text='Designates whether the user can log into this admin site.', verbose_name='staff status')),
                ('is_active', models.BooleanField(default=True, help_text='Designates whether this user should be treated as active. Unselect this instead of deleting accounts.', verbose_name='active')),
                ('date_joined', models.DateTimeField(default=django.utils.timezone.now, verbose_name='date joined')),
                ('groups', models.ManyToManyField(blank=True, help_text='The groups this user belongs to. A user will get all permissions granted to each of their groups.', related_name='user_set', related_query_name='user', to='auth.group', verbose_name='groups')),
                ('user_permissions', models.ManyToManyField(blank=True, help_text='Specific permissions for this user.', related_name='user_set', related_query_name='user', to='auth.permission', verbose_name='user permissions')),
            ],
            options={
                'verbose_name': 'user',
                'verbose_name_plural': 'users',
                'abstract': False,
            },
            managers=[
                ('objects', django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name='ClockOffset',
            fields=[
                ('id', models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ('offset_ms', models.BigIntegerField(default=0)),
            ],
            options={
                'db_table': 'core_clock',
                'constraints': [models.CheckConstraint(condition=models.Q(('id', 1)), name='core_clock_single_row'), models.CheckConstraint(condition=models.Q(('offset_ms__gte', 0)), name='core_clock_forward')],
            },
        ),
        migrations.CreateModel(
            name='Event',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('uid', models.UUIDField(default=uuid.uuid4, unique=True)),
                ('kind', models.TextField()),
                ('subject', models.UUIDField()),
                ('payload', models.JSONField()),
                ('created_at', models.DateTimeField()),
                ('position', models.BigIntegerField(null=True, unique=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'core_event',
                'indexes': [models.Index(condition=models.Q(('position__isnull', True)), fields=['id'], name='core_event_unpublished')],
            },
        ),
        migrations.CreateModel(
            name='ReceiptRow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('endpoint', models.TextField()),
                ('key', models.TextField()),
                ('body_digest', models.BinaryField(max_length=32)),
                ('seed', models.UUIDField(default=uuid.uuid4)),
                ('created_at', models.DateTimeField()),
                ('lease_until', models.DateTimeField(null=True)),
                ('result', models.JSONField(null=True)),
                ('client', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'db_table': 'core_receipt',
                'constraints': [models.UniqueConstraint(fields=('client', 'endpoint', 'key'), name='core_receipt_once'), models.CheckConstraint(condition=models.Q(('result__isnull', False), ('lease_until__isnull', False), _connector='OR'), name='core_receipt_answered_or_leased')],
            },
        ),
        migrations.RunSQL(CLOCK, 'DROP FUNCTION paygo_now(); DROP TRIGGER core_clock_forward_only ON core_clock; DROP FUNCTION core_clock_refuse_backwards()'),
    ]
