from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('zcash', '0004_audit_partitions'),
    ]

    operations = [
        migrations.AddField(
            model_name='spendingpermission',
            name='max_sessions',
            field=models.IntegerField(null=True),
        ),
        migrations.AddConstraint(
            model_name='spendingpermission',
            constraint=models.CheckConstraint(condition=Q(('max_sessions__isnull', True), Q(('max_sessions__gte', 1), ('max_sessions__lte', 1000)), _connector='OR'), name='zcash_permission_max_sessions'),
        ),
    ]
