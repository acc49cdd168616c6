-- A delivery is decided again although its key was taken.
do $$
declare
    v_was text := pg_get_functiondef('journal_commit'::regproc);
    v_is text := replace(v_was, 'if v_rows <> cardinality(p_key_ids) then', 'if false then');
begin
    if v_is = v_was and position('if false then' in v_was) = 0 then
        raise exception 'no key is checked in journal_commit';
    end if;
    execute v_is;
end
$$;
