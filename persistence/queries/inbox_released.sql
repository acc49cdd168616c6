-- Takes waiting rows whose intent came to an end, is gone, or was waited for long enough. They stay
-- linked: a row that is not readdressed before its time is over is taken again.
with free as (
    select i.id from inbox i
    where i.waits_for is not null and i.set_aside is null and i.kind = any ($3)
        and i.available_at <= $1
        and (i.received_at < $1::timestamptz - make_interval(hours => $2)
            or not exists (
                select from intents n
                where n.id = i.waits_for and n.status in ('planned', 'sending', 'ambiguous')))
    order by i.position
    limit $4
    for update of i skip locked
), taken as (
    update inbox i
    set available_at = $1 + make_interval(secs => $5)
    from free f
    where i.id = f.id
    returning i.id, i.tenant_id, i.kind, i.entity_id, i.position, i.schema, i.event, i.hops,
        i.received_at
)
select t.id as "id!", t.tenant_id as "tenant_id!", t.kind as "kind!", t.entity_id as "entity_id!",
    t.schema as "schema!", t.event as "event!", t.hops as "hops!",
    t.received_at as "received_at!"
from taken t
order by t.position
