-- Unlinks waiting rows whose intent came to an end, is gone, or was waited for long enough.
with free as (
    select i.id from inbox i
    where i.waits_for is not null and i.set_aside is null and i.kind = any ($2)
        and (i.received_at < now() - make_interval(hours => $1)
            or not exists (
                select from intents n
                where n.id = i.waits_for and n.status in ('planned', 'sending', 'ambiguous')))
    order by i.position
    limit $3
    for update of i skip locked
), unlinked as (
    update inbox i
    set waits_for = null, available_at = now() + make_interval(secs => $4)
    from free f
    where i.id = f.id
    returning i.id, i.tenant_id, i.kind, i.entity_id, i.position, i.schema, i.event, i.hops,
        i.attempts, i.received_at
)
select u.id as "id!", u.tenant_id as "tenant_id!", u.kind as "kind!", u.entity_id as "entity_id!",
    u.schema as "schema!", u.event as "event!", u.hops as "hops!", u.attempts as "attempts!",
    u.received_at as "received_at!"
from unlinked u
order by u.position
