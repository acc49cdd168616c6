//! Every setting: its flag, its name in the environment, its default and its type.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use domain::policy::PERMITS_DEFAULT;
use secrecy::SecretString;

use super::identity::IdentitySettings;
use super::values::{
    EngineUrl, FirstProvider, LOG_DEFAULT, LogFilter, LogFormat, RECORDING_BYTES_MAX_DEFAULT,
    RecordingHosts, SimulatedClock, address, secret,
};

/// The settings as they were given; understood before and after a command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Settings")]
pub struct Settings {
    /// Address and port to listen on [default: 127.0.0.1:8080].
    #[arg(long, global = true, env = "RINGMASTER_LISTEN", value_name = "ADDRESS:PORT")]
    #[arg(value_parser = address)]
    pub listen: Option<SocketAddr>,

    /// Port to listen on; counts only where no --listen is given.
    #[arg(long, global = true, env = "PORT")]
    pub port: Option<u16>,

    /// PostgreSQL to use, as a postgres:// URL; without it an own one is run below --home.
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    #[arg(value_parser = secret)]
    pub database_url: Option<SecretString>,

    /// File that holds the database's URL.
    #[arg(long, global = true, env = "DATABASE_URL_FILE", value_name = "FILE")]
    pub database_url_file: Option<PathBuf>,

    /// Folder of the embedded database.
    #[arg(long, global = true, env = "RINGMASTER_HOME", value_name = "FOLDER")]
    #[arg(default_value = ".ringmaster")]
    pub home: PathBuf,

    /// Folder of PostgreSQL's programs (initdb, postgres); looked for when absent.
    #[arg(long, global = true, env = "RINGMASTER_PG_BIN", value_name = "FOLDER")]
    pub pg_bin: Option<PathBuf>,

    /// Where the call engine is; set but empty switches it off.
    #[arg(long = "engine-url", global = true, env = "MR_HIRE_BACKEND_URL", value_name = "URL")]
    #[arg(default_value = "http://localhost:8001")]
    pub engine: EngineUrl,

    /// What the engine's webhooks carry in x-webhook-secret; without it all of them are refused.
    #[arg(long, global = true, env = "MR_HIRE_WEBHOOK_SECRET", hide_env_values = true)]
    #[arg(value_name = "SECRET", value_parser = secret)]
    pub webhook_secret: Option<SecretString>,

    /// File that holds the webhook secret.
    #[arg(long, global = true, env = "MR_HIRE_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    pub webhook_secret_file: Option<PathBuf>,

    /// Bearer token between our own services.
    #[arg(long, global = true, env = "INTERNAL_SERVICE_TOKEN", hide_env_values = true)]
    #[arg(value_name = "TOKEN", value_parser = secret)]
    pub service_token: Option<SecretString>,

    /// File that holds the token between our own services.
    #[arg(long, global = true, env = "INTERNAL_SERVICE_TOKEN_FILE", value_name = "FILE")]
    pub service_token_file: Option<PathBuf>,

    /// Key of people's bearer tokens (HS256); without it every route that needs one answers 401.
    #[arg(long, global = true, env = "JWT_SECRET", hide_env_values = true)]
    #[arg(value_name = "SECRET", value_parser = secret)]
    pub jwt_secret: Option<SecretString>,

    /// File that holds the key of people's bearer tokens.
    #[arg(long, global = true, env = "JWT_SECRET_FILE", value_name = "FILE")]
    pub jwt_secret_file: Option<PathBuf>,

    /// Whose tokens count, and how often who may ask.
    #[command(flatten)]
    pub identity: IdentitySettings,
    /// Key that providers' credentials are sealed with: 32 bytes in base64 or hex; without it none are saved.
    #[arg(long, global = true, env = "RINGMASTER_SEAL_KEY", hide_env_values = true)]
    #[arg(value_name = "KEY", value_parser = secret)]
    pub seal_key: Option<SecretString>,

    /// File that holds the sealing key.
    #[arg(long, global = true, env = "RINGMASTER_SEAL_KEY_FILE", value_name = "FILE")]
    pub seal_key_file: Option<PathBuf>,

    /// Keys that only open what was sealed before, separated by commas.
    #[arg(long, global = true, env = "RINGMASTER_SEAL_KEYS_OLD", hide_env_values = true)]
    #[arg(value_name = "KEYS", value_parser = secret)]
    pub seal_keys_old: Option<SecretString>,

    /// File that holds the old sealing keys.
    #[arg(long, global = true, env = "RINGMASTER_SEAL_KEYS_OLD_FILE", value_name = "FILE")]
    pub seal_keys_old_file: Option<PathBuf>,

    /// Who carries calls where nobody says: written once, as the default tenant's setting.
    #[arg(long = "call-provider", global = true, env = "CALL_PROVIDER", value_name = "PROVIDER")]
    #[arg(default_value = "")]
    pub first_provider: FirstProvider,

    /// Calls that may run at once, over all instances; dials beyond them wait.
    #[arg(long, global = true, env = "RINGMASTER_DIAL_PERMITS", value_name = "CALLS")]
    #[arg(default_value_t = PERMITS_DEFAULT, value_parser = clap::value_parser!(u32).range(1..))]
    pub dial_permits: u32,

    /// Twilio's account, whose recordings are passed on; without it and its token they are answered 503.
    #[arg(long, global = true, env = "TWILIO_ACCOUNT_SID", hide_env_values = true)]
    #[arg(value_name = "SID", value_parser = secret)]
    pub twilio_account_sid: Option<SecretString>,

    /// File that holds Twilio's account.
    #[arg(long, global = true, env = "TWILIO_ACCOUNT_SID_FILE", value_name = "FILE")]
    pub twilio_account_sid_file: Option<PathBuf>,

    /// Token of Twilio's account.
    #[arg(long, global = true, env = "TWILIO_AUTH_TOKEN", hide_env_values = true)]
    #[arg(value_name = "TOKEN", value_parser = secret)]
    pub twilio_auth_token: Option<SecretString>,

    /// File that holds the token of Twilio's account.
    #[arg(long, global = true, env = "TWILIO_AUTH_TOKEN_FILE", value_name = "FILE")]
    pub twilio_auth_token_file: Option<PathBuf>,

    /// Hosts beside Twilio's and Vapi's that recordings are fetched from, separated by commas.
    #[arg(long, global = true, env = "RINGMASTER_RECORDING_HOSTS", value_name = "HOSTS")]
    #[arg(default_value = "", hide_default_value = true)]
    pub recording_hosts: RecordingHosts,

    /// The most bytes of a recording that are passed on.
    #[arg(long, global = true, env = "RINGMASTER_RECORDING_BYTES_MAX", value_name = "BYTES")]
    #[arg(default_value_t = RECORDING_BYTES_MAX_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub recording_bytes_max: u64,

    /// Threads that serve [default: half of the machine's cores; the database has the others].
    #[arg(long, global = true, env = "RINGMASTER_WORKERS", value_name = "THREADS")]
    pub workers: Option<NonZeroUsize>,

    /// Let serve migrate the database that --database-url names.
    #[arg(long, global = true, env = "RINGMASTER_MIGRATE")]
    #[arg(value_parser = BoolishValueParser::new())]
    pub migrate: bool,

    /// Time of a simulated world, as REAL,SIMULATED,SPEED; only with an engine on this machine.
    #[arg(long, global = true, env = "RINGMASTER_SIMULATED_CLOCK", value_name = "CLOCK")]
    #[arg(hide = true)]
    pub simulated_clock: Option<SimulatedClock>,

    /// What is logged, as a tracing filter.
    #[arg(long, global = true, env = "RUST_LOG", value_name = "FILTER", default_value = LOG_DEFAULT)]
    pub log: LogFilter,

    /// How it is logged [default: pretty on a terminal, else json].
    #[arg(long, global = true, env = "RINGMASTER_LOG_FORMAT", value_enum, value_name = "FORMAT")]
    pub log_format: Option<LogFormat>,

    /// Accepted from older installations; nothing here uses Redis.
    #[arg(long, global = true, env = "REDIS_HOST", value_name = "HOST", hide = true)]
    pub redis_host: Option<String>,

    /// Accepted from older installations; nothing here uses Redis.
    #[arg(long, global = true, env = "REDIS_PORT", value_name = "PORT", hide = true)]
    pub redis_port: Option<String>,
}
