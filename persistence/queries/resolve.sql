-- Tells whose calls some reports are about. `coalesce` stops at the first source that knows; a number
-- that is being rung is asked about only when none does. A subquery with a limit is never made a hash
-- join over a table that grows; `offset 0` keeps the planner from writing each look-up out twice.
select k.known, r.ringing
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[])
    with ordinality as a (tenant_id, call_id, intent_id, phone, position)
cross join lateral (
    select coalesce(
        (select n.entity_id from intents n
         where n.id = a.intent_id and n.tenant_id = a.tenant_id and n.kind = 'interview'
         limit 1),
        (select c.entity_id from call_aliases c
         where c.tenant_id = a.tenant_id and c.source = $5 and c.external = a.call_id
         limit 1),
        (select v.id from voice_interviews v
         where v.tenant_id = a.tenant_id and v.call_id = a.call_id
         limit 1)) as known
    offset 0
) k
left join lateral (
    select n.id as ringing from intents n
    where k.known is null and n.callee = a.phone and n.tenant_id = a.tenant_id
        and n.status in ('sending', 'ambiguous') and n.reach = 'rings' and n.kind = 'interview'
    order by n.planned_at, n.id
    limit 1
) r on true
order by a.position
