//! What each code means, where it comes from and what to do about it.

use super::Code;

/// The text behind `/problems/{code}`.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// A short human title, the same for every occurrence.
    pub title: &'static str,
    /// What the answer says.
    pub meaning: &'static str,
    /// What usually leads to it.
    pub cause: &'static str,
    /// What the reader can do.
    pub fix: &'static str,
}

const fn of(
    title: &'static str,
    meaning: &'static str,
    cause: &'static str,
    fix: &'static str,
) -> Page {
    Page { title, meaning, cause, fix }
}

pub(super) const fn page(code: Code) -> Page {
    match code {
        Code::InvalidRequest
        | Code::MalformedJson
        | Code::BodyTooLarge
        | Code::UnsupportedMediaType
        | Code::RouteNotFound
        | Code::NotFound
        | Code::InterviewNotFound
        | Code::NotInQuarantine
        | Code::MethodNotAllowed
        | Code::UpgradeRequired => about_the_request(code),
        Code::Unauthenticated
        | Code::InvalidToken
        | Code::TokenExpired
        | Code::UserDeleted
        | Code::RoleChanged
        | Code::UnknownTenant
        | Code::AuthNotConfigured
        | Code::WebhookUnauthorized
        | Code::Forbidden
        | Code::PageForbidden
        | Code::ScopeForbidden => about_the_caller(code),
        Code::Conflict
        | Code::DialingStopped
        | Code::NoProviderEnabled
        | Code::VersionMismatch
        | Code::IdempotencyKeyReused
        | Code::RateLimited => about_the_moment(code),
        Code::RecordingNotFound
        | Code::RecordingAbsent
        | Code::RecordingRefused
        | Code::RangeNotSatisfiable
        | Code::RecordingUnavailable
        | Code::RecordingsNotConfigured => about_recordings(code),
        Code::Internal
        | Code::EngineFailed
        | Code::EngineUnreachable
        | Code::EngineOff
        | Code::CallUnconfirmed
        | Code::JournalUnavailable
        | Code::Overloaded
        | Code::SealingNotConfigured
        | Code::NotReady
        | Code::ShuttingDown
        | Code::TimedOut => about_the_server(code),
    }
}

/// The pages about what was asked.
const fn about_the_request(code: Code) -> Page {
    match code {
        Code::InvalidRequest => of(
            "Invalid request",
            "Something in the path, the query or the body does not fit what this route takes.",
            "A field is missing, has the wrong type, lies out of range, holds a NUL character, or (below /api/v1/) has a name the route does not know.",
            "Read `errors`: each entry points at one field and says what it must be.",
        ),
        Code::MalformedJson => of(
            "Malformed JSON",
            "The body could not be read as one JSON document.",
            "It is cut off, empty, nested too deeply, or not JSON at all.",
            "Send one complete UTF-8 JSON value; `detail` names the line and column where reading stopped.",
        ),
        Code::BodyTooLarge => of(
            "Body too large",
            "The body is larger than this route takes.",
            "REST routes take 256 KiB, webhooks 1 MiB, the import of applications 4 MiB.",
            "Send less: split an import, or leave out what the route does not need.",
        ),
        Code::UnsupportedMediaType => of(
            "Unsupported kind of body",
            "The body is of a kind that this route does not take.",
            "It is compressed, which no route takes: what a small body unpacks to has no bound. Or the route is below /api/v1/, and the `Content-Type` header is absent or names something else than JSON.",
            "Send the body as it is, without `Content-Encoding`, and as `Content-Type: application/json`.",
        ),
        Code::RouteNotFound => of(
            "No such route",
            "Nothing is served under this path.",
            "The path is misspelt, or the route came with a later version.",
            "Compare the path with the list of routes.",
        ),
        Code::NotFound => of(
            "Not found",
            "The route exists; what it was asked for does not.",
            "The id is unknown, was deleted, or belongs to somebody else.",
            "Look the id up in the list of the same kind.",
        ),
        Code::InterviewNotFound => of(
            "No such interview",
            "No interview with this id is visible to you.",
            "It was deleted, never existed, or belongs to another user or tenant.",
            "List the interviews with the same token and take an id from there.",
        ),
        Code::NotInQuarantine => of(
            "Not in quarantine",
            "No entity of this kind and id is in quarantine, so there is nothing to release.",
            "It is well, or was released a moment ago; or the id or the kind in the path is another one's.",
            "Read /api/v1/tree for what is in quarantine.",
        ),
        Code::MethodNotAllowed => of(
            "Method not allowed",
            "The path is served, but not with this method.",
            "A GET was sent where a POST is expected, or the other way round.",
            "The `Allow` header lists the methods of this path.",
        ),
        _ => of(
            "WebSocket upgrade required",
            "This path speaks WebSocket and nothing else.",
            "It was requested like a page, or a proxy on the way dropped the upgrade headers.",
            "Connect with a WebSocket client; let the proxy pass `Upgrade` and `Connection`.",
        ),
    }
}

/// The pages about recordings.
const fn about_recordings(code: Code) -> Page {
    match code {
        Code::RecordingNotFound => of(
            "No recording",
            "No interview that you may see has this recording.",
            "The call was not recorded, its recording was not reported yet, or `url` is not the `recordingUrl` of an interview of yours, character by character.",
            "Read the interview: where its `recordingUrl` is null there is nothing to fetch.",
        ),
        Code::RecordingAbsent => of(
            "Recording not there",
            "The platform that keeps the recording does not have it.",
            "It is still being processed, which takes a minute, or its time there is over.",
            "Ask again in a minute if the call ended just now.",
        ),
        Code::RecordingRefused => of(
            "Recording out of reach",
            "The recording was reported to lie where this server fetches nothing from.",
            "Its host is neither Twilio's, nor Vapi's, nor named in `RINGMASTER_RECORDING_HOSTS`; or the address is not a plain https address of such a host.",
            "If the host is one of yours, add it to `RINGMASTER_RECORDING_HOSTS` and restart the server.",
        ),
        Code::RangeNotSatisfiable => of(
            "No such range",
            "The recording has no such part.",
            "`Range` begins behind the end, is malformed, or names several ranges at once.",
            "Ask for one range, as `bytes=0-1023`; `Content-Range` says how long the recording is where that is known.",
        ),
        Code::RecordingUnavailable => of(
            "Recording not available",
            "The platform that keeps the recording answered nothing that can be passed on.",
            "It is down or slow, refuses us, sent something else than audio, or more than `RINGMASTER_RECORDING_BYTES_MAX`.",
            "Repeat as `Retry-After` says; if it stays, the log of the server says what the platform answered.",
        ),
        _ => of(
            "No login for recordings",
            "The recording lies at Twilio, and this server has no login there.",
            "`TWILIO_ACCOUNT_SID` or `TWILIO_AUTH_TOKEN` is unset.",
            "Set both and restart the server.",
        ),
    }
}

/// The pages about who asked.
const fn about_the_caller(code: Code) -> Page {
    match code {
        Code::Unauthenticated => of(
            "Not authenticated",
            "This route needs credentials and the request carried none that can be read.",
            "The `Authorization` header is absent, repeated, or not of the form `Bearer <token>`.",
            "Send a bearer token; `ringmaster token` mints one.",
        ),
        Code::InvalidToken => of(
            "Invalid token",
            "The bearer token cannot be trusted.",
            "It was signed with another key or algorithm, a required claim (`exp`, `sub`, `role`) is absent or malformed, or it is for another audience, of another issuer or of a key id that is not allowed here.",
            "Get a new token from the issuer whose key this server has (`JWT_SECRET` or `JWT_PUBLIC_KEY`).",
        ),
        Code::TokenExpired => of(
            "Token expired",
            "The bearer token was valid and its time is over.",
            "`exp` lies in the past, beyond the tolerance for clocks that differ.",
            "Get a new token; if it is fresh, compare the clocks of both machines.",
        ),
        Code::UserDeleted => of(
            "User deleted",
            "The bearer token is good, and the user whom it names may not come in any more.",
            "An import of users marked this id as deleted, within this tenant.",
            "Nothing, if that was meant; else import the user again without `deleted`.",
        ),
        Code::RoleChanged => of(
            "Role changed",
            "The bearer token carries a role that its holder no longer has.",
            "The user was imported with another role after the token was issued, or the issuer and the import disagree.",
            "Get a new token; if its role is still another one, correct the issuer or import the user anew.",
        ),
        Code::UnknownTenant => of(
            "Unknown tenant",
            "The bearer token is of a tenant that is not served here.",
            "No tenant with the id in its claim `tenant` was created on this server, or it was closed.",
            "A SUPERADMIN creates tenants with POST /api/v1/tenants; compare the id with the list there.",
        ),
        Code::AuthNotConfigured => of(
            "No token can be verified here",
            "The server has no key, so no bearer token can be accepted.",
            "`JWT_SECRET` and `JWT_PUBLIC_KEY` (or the token of the calling service) are unset on this server.",
            "Set one of them and restart the server.",
        ),
        Code::WebhookUnauthorized => of(
            "Webhook not authenticated",
            "The webhook's shared secret was not accepted, so nothing was stored.",
            "The secret header is absent, differs from ours, or no secret is set on this server.",
            "Set the same secret on both sides; `/readyz?verbose` says whether this side has one.",
        ),
        Code::PageForbidden => of(
            "Page not open to you",
            "Your role allows this, and your token does not open the page that it belongs to.",
            "The claim `pages` of the token does not list that page. Administrators need no such claim.",
            "Have the page added where your tokens are issued, and get a new one.",
        ),
        Code::ScopeForbidden => of(
            "Not your scope",
            "You may do this for your own tenant, and what you named is not confined to it.",
            "`scope` names another tenant, or everything, or a provider that several tenants share.",
            "Leave `scope` out: then it is your tenant. Those who run the server may name any scope.",
        ),
        _ => of(
            "Forbidden",
            "You are known, and your role does not allow this.",
            "The route is reserved for other roles.",
            "Ask somebody with such a role, or use a token that carries it.",
        ),
    }
}

/// The pages about when it was asked.
const fn about_the_moment(code: Code) -> Page {
    match code {
        Code::Conflict => of(
            "Conflict",
            "What you want to change is in a state that does not allow it.",
            "It changed since you last read it, or it has already ended.",
            "Read it again and decide again.",
        ),
        Code::NoProviderEnabled => of(
            "No provider is switched on",
            "Every provider that could carry the call is switched off or not the recruiter's, so no call can be placed.",
            "The recruiter's default, the tenant's `CALL_PROVIDER` and `vapi` are none of `ENABLED_CALL_PROVIDERS`, or none of those that the recruiter may use; `detail` says which.",
            "Switch one of them on at /api/v1/system-config/ENABLED_CALL_PROVIDERS, or name another provider.",
        ),
        Code::DialingStopped => of(
            "Dialing is stopped",
            "Somebody pressed the red button, so no call is placed and none is planned.",
            "Dialing was stopped for everything, for this tenant or for this provider.",
            "Ask whoever stopped it; `GET /api/v1/dialing` says who and why. Place the call again once it is resumed.",
        ),
        Code::VersionMismatch => of(
            "Version mismatch",
            "`If-Match` names a version that is no longer the current one.",
            "Somebody else saved in between.",
            "Read the current version, merge, and save with its ETag.",
        ),
        Code::IdempotencyKeyReused => of(
            "Key used before",
            "This `Idempotency-Key` belongs to a different request.",
            "Method, path or body differ from those the key was first used with.",
            "Use a new key for a new request.",
        ),
        _ => of(
            "Too many requests",
            "You have used up your share for this moment.",
            "Requests, refused credentials or ids that do not exist came faster than the limit in the `RateLimit-Policy` header allows; `detail` says which.",
            "Wait as long as `Retry-After` says. After refused credentials nothing of what you send is looked at until then.",
        ),
    }
}

/// The pages about our side.
const fn about_the_server(code: Code) -> Page {
    match code {
        Code::Internal => of(
            "Internal error",
            "A fault on our side; nothing about it is shown here.",
            "The log of the server knows it under the request's id.",
            "Repeat it once; if it stays, report the `requestId`.",
        ),
        Code::EngineFailed => of(
            "Call engine failed",
            "The call engine answered something that cannot be used.",
            "It is broken, speaks another version of its interface, does not accept our `INTERNAL_SERVICE_TOKEN`, or `MR_HIRE_BACKEND_URL` lacks the path that its routes begin with.",
            "`/readyz?verbose` says what it answered last; then look at the engine's own log at that time.",
        ),
        Code::EngineUnreachable => of(
            "Call engine unreachable",
            "Nobody answers where the call engine should be, so it could not be asked.",
            "The engine is down, or `MR_HIRE_BACKEND_URL` names another address.",
            "Repeat as `Retry-After` says; `/readyz?verbose` shows when it answers again.",
        ),
        Code::EngineOff => of(
            "Call engine switched off",
            "No call engine is configured, so nothing can be dialled or fetched.",
            "`MR_HIRE_BACKEND_URL` is set to an empty value.",
            "Set it to the engine's address and restart the server.",
        ),
        Code::CallUnconfirmed => of(
            "Not known whether the call is planned",
            "The database did not say in time whether the call was planned, and the request had no `Idempotency-Key`.",
            "The database is slow or away. What was sent to it may still be done.",
            "Look for the interview that `detail` names before you ask again. Send an `Idempotency-Key` with each request: then repeating it is harmless.",
        ),
        Code::JournalUnavailable => of(
            "Journal unavailable",
            "Decisions cannot be made durable at the moment, so none is made.",
            "The database is away, restarting, or slower than its queue allows.",
            "Repeat as `Retry-After` says; `/readyz?verbose` shows when it is back.",
        ),
        Code::Overloaded => of(
            "Overloaded",
            "Every place for this kind of work is taken.",
            "More arrives than is finished.",
            "Repeat as `Retry-After` says, and more slowly.",
        ),
        Code::SealingNotConfigured => of(
            "Sealing is not configured",
            "Providers' credentials are stored sealed, and this server lacks the key to seal or to open these.",
            "`RINGMASTER_SEAL_KEY` is unset, or the key that they were sealed with is none of `RINGMASTER_SEAL_KEYS_OLD`.",
            "Set the key and restart the server; everything but the credentials can be saved without it.",
        ),
        Code::NotReady => of(
            "Not ready",
            "The server does not take work yet, or no longer.",
            "A check that gates readiness fails.",
            "`/readyz?verbose` names the check.",
        ),
        Code::ShuttingDown => of(
            "Shutting down",
            "The server is on its way out and takes nothing new.",
            "It was told to stop.",
            "Repeat as `Retry-After` says: its successor will answer.",
        ),
        _ => of(
            "Took too long",
            "The request was given up because it took longer than any request may.",
            "Something it waited for did not come, or its body arrived too slowly.",
            "Read before you repeat: what it had begun may have been done.",
        ),
    }
}
