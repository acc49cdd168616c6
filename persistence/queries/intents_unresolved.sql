-- Takes sent intents whose outcome is missing although it should be known by now.
with due as (
    select n.id, n.look_at from intents n
    where n.status in ('sending', 'ambiguous') and n.look_at <= $1 and n.kind = any ($2)
    order by n.look_at
    limit $3
    for update of n skip locked
), taken as (
    update intents n
    set look_at = $1 + make_interval(secs => $4)
    from due d
    where n.id = d.id
    returning n.id, n.tenant_id, n.kind, n.entity_id, n.operation, n.class, n.reach, n.attempt,
        n.schema, n.effect, n.not_after, n.unanswered, n.lookups, n.planned_at, n.ambiguous_since, d.look_at
)
select t.id as "id!", t.tenant_id as "tenant_id!", t.kind as "kind!", t.entity_id as "entity_id!",
    t.operation as "operation!", t.class as "class!", t.reach as "reach!",
    t.attempt as "attempt!", t.schema as "schema!", t.effect as "effect!",
    t.not_after as "not_after!", t.unanswered as "unanswered!", t.lookups as "lookups!",
    t.planned_at as "planned_at!", t.ambiguous_since
from taken t
order by t.look_at
