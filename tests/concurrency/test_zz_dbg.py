import pytest, traceback, inspect
from tests.concurrency.test_races import *
pytestmark = pytest.mark.django_db(transaction=True)
import sys
def test_dbg(vera):
    for number in [6,59,106,144,170,18]*2:
        race = Round(vera, number=number)
        calls = race.calls()
        names=[inspect.getsource(c).strip()[8:75] for c in calls]
        outcomes = together(*calls)
        bad=[(n,o) for n,o in zip(names,outcomes) if unexpected(o)]
        if bad:
            print("ROUND", number, names)
            p = {race.active.pk:'A', race.queued.pk:'B', race.pending.pk:'C'}
            print(p, [(p[x.pk], x.status) for x in SpendingPermission.objects.filter(pk__in=p)])
        for n,o in bad:
            if isinstance(o, IntervalRun): print("RUN", n, o.put_aside); continue
            print("  BAD", n, repr(o.__cause__)[:300])
            print("   ", [f"{f.name}:{f.lineno}" for f in traceback.extract_tb(o.__cause__.__traceback__) if '/work/main/b' in f.filename or '/work/main/z' in f.filename])
        SpendingPermission.objects.all().update(wallet_address="x"+str(random.random())) if 0 else None
        StreamingSession.objects.filter(status='active').exists()
        from django.db import connection
        SpendingPermission.objects.filter(pk__in=[race.active.pk, race.queued.pk, race.pending.pk]).exclude(status='active').update(wallet_address=f"gone{number}")
        for x in SpendingPermission.objects.active().filter(wallet_address=race.wallet):
            funding.revoke(client_id=vera.pk, public_id=x.public_id, now=after(hours=3), actor='x')
