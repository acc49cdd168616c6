-- Writes applications. A row that says the same already is not touched, so `updated_at` tells a change.
insert into job_applications as a (id, tenant_id, job_post_id, candidate_name, phone_number,
    time_zone, belongs_to, resume_score, quiz_score, created_at, updated_at)
select n.id, $1, n.job_post_id, n.candidate_name, n.phone_number, n.time_zone, n.belongs_to,
    n.resume_score, n.quiz_score, $2, $2
from unnest($3::uuid[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::uuid[],
    $9::double precision[], $10::double precision[])
    as n (id, job_post_id, candidate_name, phone_number, time_zone, belongs_to, resume_score,
        quiz_score)
on conflict (id) do update
set job_post_id = excluded.job_post_id, candidate_name = excluded.candidate_name,
    phone_number = excluded.phone_number, time_zone = excluded.time_zone,
    belongs_to = excluded.belongs_to, resume_score = excluded.resume_score,
    quiz_score = excluded.quiz_score, updated_at = excluded.updated_at
where a.tenant_id = excluded.tenant_id
    and (a.job_post_id, a.candidate_name, a.phone_number, a.time_zone, a.belongs_to,
        a.resume_score, a.quiz_score) is distinct from
        (excluded.job_post_id, excluded.candidate_name, excluded.phone_number,
        excluded.time_zone, excluded.belongs_to, excluded.resume_score, excluded.quiz_score)
