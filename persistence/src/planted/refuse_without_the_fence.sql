-- A refusal is written down although the entity moved on meanwhile.
do $$
declare
    v_table text;
    v_was text;
    v_is text;
begin
    foreach v_table in array array['advance_interview', 'advance_screening'] loop
        v_was := pg_get_functiondef(v_table::regproc);
        v_is := replace(v_was, 'm.state is null and m.expected = coalesce((',
            'm.state is null and m.expected >= -coalesce((');
        if v_is = v_was and position('m.expected >= -coalesce((' in v_was) = 0 then
            raise exception 'no fence was found in %', v_table;
        end if;
        execute v_is;
    end loop;
end
$$;
