-- Claims the open rows of some entities of one kind; whoever is in quarantine keeps its rows unclaimed.
with open as (
    select i.id from inbox i
    where i.entity_id = any ($1) and i.kind = $2
        and i.set_aside is null and i.waits_for is null
        and not exists (
            select from quarantine q where q.kind = i.kind and q.entity_id = i.entity_id)
    order by i.position
    limit $3
    for update of i skip locked
), claimed as (
    update inbox i
    set attempts = i.attempts + 1, available_at = $4::timestamptz + make_interval(secs => $5)
    from open o
    where i.id = o.id
    returning i.id, i.tenant_id, i.kind, i.entity_id, i.position, i.schema, i.event, i.hops,
        i.received_at
)
select c.id as "id!", c.tenant_id as "tenant_id!", c.kind as "kind!", c.entity_id as "entity_id!",
    c.schema as "schema!", c.event as "event!", c.hops as "hops!",
    c.received_at as "received_at!"
from claimed c
order by c.position
