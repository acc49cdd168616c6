-- A delivery is decided again although its key was taken.
do $$
declare
    v_was text := pg_get_functiondef('journal_commit'::regproc);
    v_is text := replace(v_was, 'unnest(p_key_ids, p_key_tenants) as k (key, tenant_id);',
        'unnest(p_key_ids, p_key_tenants) as k (key, tenant_id) on conflict do nothing;');
begin
    if v_is = v_was and position('on conflict do nothing' in v_was) = 0 then
        raise exception 'no key is checked in journal_commit';
    end if;
    execute v_is;
end
$$;
