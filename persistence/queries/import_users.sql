-- Writes users. Who is deleted already keeps the time of that; a SUPERADMIN's row is left as it is where $3 is false.
insert into users as u (tenant_id, id, role, name, email, phone, active_head, deleted_at, updated_at)
select $1, n.id, n.role, n.name, n.email, n.phone, n.active_head,
    case when n.is_deleted then $2::timestamptz end, $2
from unnest($5::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::uuid[], $11::boolean[])
    as n (id, role, name, email, phone, active_head, is_deleted)
on conflict (tenant_id, id) do update
set role = excluded.role, name = excluded.name, email = excluded.email, phone = excluded.phone,
    active_head = excluded.active_head, updated_at = excluded.updated_at,
    deleted_at = case when excluded.deleted_at is not null
        then coalesce(u.deleted_at, excluded.deleted_at) end
where $3::boolean or u.role <> $4
returning u.id
