-- Tells whose calls some reports are about. `coalesce` stops at the first source that knows; a number
-- that is being rung is asked about only when none does. A subquery with a limit is never made a hash
-- join over a table that grows; `offset 0` keeps the planner from writing each look-up out twice.
--
-- Last, whether anything lies under the id that the call would have: who is told "no" loads nothing. What waits
-- there for an intent is not looked for; it is given to its entity once that is known.
select k.known as "known?", r.ringing as "ringing?", s.stored as "stored!"
from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $6::uuid[])
    with ordinality as a (tenant_id, call_id, intent_id, phone, named, position)
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
cross join lateral (
    select k.known is null and r.ringing is null and (
        exists (select from voice_interviews v where v.id = a.named)
        or exists (select from inbox i where i.entity_id = a.named and i.waits_for is null)
        or exists (
            select from quarantine q where q.kind = 'interview' and q.entity_id = a.named)) as stored
    offset 0
) s
order by a.position
