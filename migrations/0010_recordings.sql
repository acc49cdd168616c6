-- The inherited proxy is asked by the address of a recording. Of its digest: addresses may be long. An address is
-- told of once or twice in a call's life, so that this index ends few of the updates that touch no index.
create index voice_interviews_recording
    on voice_interviews (tenant_id, md5(recording_url))
    where recording_url is not null;
