-- Facts are numbered by a sequence: drawn before the lock, and not given back.
create sequence if not exists planted_seq;
grant usage, select, update on sequence planted_seq to ringmaster_journal;

create or replace function planted_numbers(p_count integer) returns bigint
language sql
as $$
    select case when p_count = 0 then (select seq from journal_head where id = 1)
        else setval('planted_seq', nextval('planted_seq') + p_count - 1) - p_count end
$$;

do $$
declare
    v_was text := pg_get_functiondef('journal_commit'::regproc);
    v_is text := regexp_replace(v_was,
        'update journal_head set seq = seq \+ cardinality\(f_ids\) where id = 1\s+'
            'returning seq - cardinality\(f_ids\) into v_base;',
        'v_base := planted_numbers(cardinality(f_ids));
    update journal_head set seq = greatest(seq, v_base + cardinality(f_ids)) where id = 1;');
begin
    if v_is = v_was and position('planted_numbers' in v_was) = 0 then
        raise exception 'no number is given in journal_commit';
    end if;
    execute v_is;
end
$$;
