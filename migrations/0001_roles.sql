-- The two roles every pool steps into, and the one way a table is put under tenancy.
-- Roles belong to the cluster: databases that migrate at the same moment meet here, so a collision is retried.

do $$
declare
    wanted text;
    tries integer := 0;
    -- Since 16 whoever creates a role is its member without the right to step into it.
    membership constant text :=
        case when current_setting('server_version_num')::integer < 160000 then 'member' else 'set' end;
begin
    foreach wanted in array array['ringmaster_read', 'ringmaster_journal'] loop
        loop
            begin
                if not exists (select from pg_roles where rolname = wanted) then
                    execute format('create role %I nologin noinherit', wanted);
                end if;
                if not pg_has_role(current_user, wanted, membership) then
                    execute format('grant %I to current_user', wanted);
                end if;
                exit;
            exception
                when duplicate_object or unique_violation or internal_error or object_in_use then
                    tries := tries + 1;
                    if tries > 50 then raise; end if;
                    perform pg_sleep(0.05);
            end;
        end loop;
    end loop;
end
$$;

grant usage on schema public to ringmaster_read, ringmaster_journal;

-- Puts a table under row-level security, which binds its owner too. The read role sees the tenant that
-- its transaction names and nothing without one; the journal role sees all, and fences by tenant itself.
create procedure protect_table(p_table regclass)
language plpgsql
as $$
begin
    execute format('alter table %s enable row level security', p_table);
    execute format('alter table %s force row level security', p_table);
    execute format(
        'create policy tenant_reads on %s to ringmaster_read
            using (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)
            with check (tenant_id = nullif(current_setting(''app.tenant'', true), '''')::uuid)',
        p_table);
    execute format(
        'create policy journal_all on %s to ringmaster_journal using (true) with check (true)',
        p_table);
    execute format('grant select on %s to ringmaster_read', p_table);
    execute format('grant select, insert, update, delete on %s to ringmaster_journal', p_table);
end
$$;
