//! The command line and the one [`Config`]: read from flags and the environment, validated before
//! anything starts, passed down.

mod command;
mod identity;
mod names;
mod notice;
mod refusal;
mod seal;
mod secrets;
mod settings;
mod values;

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Parser;
use domain::ports::RecordingHost;
use secrecy::{ExposeSecret, SecretString};

pub use command::{
    Command, DialingArgs, DialingVerb, HealthcheckArgs, ImportArgs, ImportSource, TokenArgs,
};
pub use identity::{Identity, IdentitySettings};
pub use notice::Notice;
pub use seal::{SealKey, SealKeys};
pub use settings::Settings;
pub use values::{
    EngineUrl, FirstProvider, InvalidClock, InvalidFilter, InvalidTtl, InvalidUrl, LogFilter,
    LogFormat, RecordingHosts, ServerUrl, SimulatedClock,
};

use secrets::Given;

use crate::auth::{InvalidPublicKey, Keys, SharedSecret};
use crate::readiness::Report;

/// The port when nothing is said.
const PORT_DEFAULT: u16 = 8080;

/// Supervises AI phone calls: one actor per call, fed by webhooks, checkpointed to PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "ringmaster", version, about)]
#[command(override_usage = "ringmaster [OPTIONS] [COMMAND]")]
pub struct Cli {
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to do it.
    #[command(flatten)]
    pub settings: Settings,
}

/// Why the configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// An environment variable carries our prefix and is none of ours.
    #[error("no such setting: {name}{hint}")]
    UnknownName {
        /// The variable.
        name: String,
        /// What was perhaps meant.
        hint: String,
    },
    /// A setting in the environment does not parse.
    #[error("{setting}: {why}")]
    Unreadable {
        /// The variable, and its flag.
        setting: String,
        /// What is wrong with it.
        why: String,
    },
    /// A secret is given twice.
    #[error("{name} and {name}_FILE are both set; which one counts?")]
    GivenTwice {
        /// The variable.
        name: &'static str,
    },
    /// A secret's file cannot be read.
    #[error("cannot read the file that {name}_FILE names")]
    SecretFile {
        /// The variable.
        name: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The public key is none that can be used.
    #[error("JWT_PUBLIC_KEY cannot be used")]
    PublicKey(#[source] InvalidPublicKey),
    /// A key is no key.
    #[error(
        "{name} must be 32 bytes in base64 or hexadecimal digits, as of `openssl rand -base64 32`"
    )]
    SealKey {
        /// The variable.
        name: &'static str,
    },
    /// No PostgreSQL URL.
    #[error("DATABASE_URL (--database-url) must begin with postgres:// or postgresql://")]
    DatabaseUrl,
    /// Calls would be placed by a clock that is not the callee's.
    #[error(
        "a simulated clock needs an engine on this machine: a real person could be rung at night"
    )]
    SimulatedClockOutside,
    /// Anybody could reach the server, and nobody could be recognised.
    #[error(
        "refusing to listen on {address} without JWT_SECRET or JWT_PUBLIC_KEY: set one of them, \
         or listen on 127.0.0.1 only"
    )]
    PublicWithoutAuth {
        /// The address asked for.
        address: SocketAddr,
    },
}

/// The settings of one process.
#[derive(Clone, Debug)]
pub struct Config {
    listen: SocketAddr,
    /// Which settings say so.
    listen_named: &'static str,
    /// The database; the embedded one when absent.
    pub database_url: Option<SecretString>,
    /// Where the embedded database and the lock live.
    pub home: PathBuf,
    /// The folder of PostgreSQL's programs; looked for when absent.
    pub pg_bin: Option<PathBuf>,
    /// Where the call engine is, if it is on.
    pub engine: EngineUrl,
    /// What the engine's webhooks are recognised by.
    pub webhook_secret: Option<SecretString>,
    /// What our own services are recognised by, and we by the engine.
    pub service_token: Option<SecretString>,
    /// What people's tokens are signed with.
    pub jwt_secret: Option<SecretString>,
    /// Who may come in, and how often.
    pub identity: Identity,
    /// What credentials are sealed with.
    pub seal_keys: SealKeys,
    /// What `CALL_PROVIDER` is until somebody says otherwise.
    pub first_provider: FirstProvider,
    /// Calls that may run at once, over all instances.
    pub dial_permits: u32,
    /// What Twilio knows us by.
    pub twilio: Option<TwilioAccount>,
    /// Hosts beside the platforms' own that recordings are fetched from.
    pub recording_hosts: Vec<RecordingHost>,
    /// The most bytes of a recording that are passed on.
    pub recording_bytes_max: u64,
    /// Threads that serve.
    pub workers: NonZeroUsize,
    /// Whether `serve` may migrate a database that is not the embedded one.
    pub migrate: bool,
    /// The time of a simulated world; real time when absent.
    pub simulated_clock: Option<SimulatedClock>,
    /// What is logged.
    pub log: LogFilter,
    /// How it is logged.
    pub log_format: LogFormat,
    redis_named: bool,
}

/// An account at Twilio.
#[derive(Clone, Debug)]
pub struct TwilioAccount {
    /// Its name.
    pub sid: SecretString,
    /// Its token.
    pub token: SecretString,
}

impl Cli {
    /// Reads the command line and the environment; ends the process with a usage message when the
    /// command line cannot be parsed.
    ///
    /// # Errors
    /// [`ConfigError`] when the environment cannot be parsed, or what was parsed makes no sense.
    pub fn load() -> Result<(Command, Config), ConfigError> {
        match Self::try_parse() {
            Ok(cli) => cli.check(),
            Err(error) => Err(refusal::of_environment(&error).unwrap_or_else(|| error.exit())),
        }
    }

    /// Validates what was parsed.
    ///
    /// # Errors
    /// [`ConfigError`] as [`Self::load`].
    pub fn check(self) -> Result<(Command, Config), ConfigError> {
        names::refuse_unknown(std::env::vars_os().map(|(name, _)| name))?;
        let config = Config::new(self.settings)?;
        Ok((self.command.unwrap_or(Command::Serve), config))
    }
}

impl Config {
    /// Validates `settings` as a whole; reads the files that hold secrets.
    ///
    /// # Errors
    /// [`ConfigError`] when a secret cannot be had or values do not fit each other.
    pub fn new(mut settings: Settings) -> Result<Self, ConfigError> {
        let local = (Ipv4Addr::LOCALHOST, settings.port.unwrap_or(PORT_DEFAULT));
        let twilio = twilio(&mut settings)?;
        let database_url = Given {
            name: "DATABASE_URL",
            value: settings.database_url,
            file: settings.database_url_file,
        };
        let webhook_secret = Given {
            name: "MR_HIRE_WEBHOOK_SECRET",
            value: settings.webhook_secret,
            file: settings.webhook_secret_file,
        };
        let service_token = Given {
            name: "INTERNAL_SERVICE_TOKEN",
            value: settings.service_token,
            file: settings.service_token_file,
        };
        let jwt_secret = Given {
            name: "JWT_SECRET",
            value: settings.jwt_secret,
            file: settings.jwt_secret_file,
        };
        let jwt_secret = jwt_secret.read()?;
        let identity = Identity::read(settings.identity, jwt_secret.as_ref())?;
        let seal_key = Given {
            name: "RINGMASTER_SEAL_KEY",
            value: settings.seal_key,
            file: settings.seal_key_file,
        };
        let seal_keys_old = Given {
            name: "RINGMASTER_SEAL_KEYS_OLD",
            value: settings.seal_keys_old,
            file: settings.seal_keys_old_file,
        };
        if settings.simulated_clock.is_some() && !settings.engine.is_local() {
            return Err(ConfigError::SimulatedClockOutside);
        }
        let listen_named = match (settings.listen, settings.port) {
            (Some(_), _) => "RINGMASTER_LISTEN (--listen)",
            (None, Some(_)) => "PORT (--port)",
            (None, None) => "RINGMASTER_LISTEN (--listen) or PORT (--port)",
        };
        Ok(Self {
            listen_named,
            listen: settings.listen.unwrap_or_else(|| local.into()),
            database_url: database_url.read()?.map(postgres_url).transpose()?,
            home: settings.home,
            pg_bin: settings.pg_bin,
            engine: settings.engine,
            webhook_secret: webhook_secret.read()?,
            service_token: service_token.read()?,
            jwt_secret,
            identity,
            seal_keys: SealKeys::read(seal_key.read()?, seal_keys_old.read()?)?,
            first_provider: settings.first_provider,
            dial_permits: settings.dial_permits,
            twilio,
            recording_hosts: settings.recording_hosts.0,
            recording_bytes_max: settings.recording_bytes_max,
            workers: settings.workers.unwrap_or_else(half_of_the_cores),
            migrate: settings.migrate,
            simulated_clock: settings.simulated_clock,
            log: settings.log,
            log_format: settings.log_format.unwrap_or_else(LogFormat::of_terminal),
            redis_named: settings.redis_host.is_some() || settings.redis_port.is_some(),
        })
    }

    /// Returns where to listen.
    ///
    /// # Errors
    /// [`ConfigError::PublicWithoutAuth`]: there is no other way to the address than by this check.
    pub fn listen(&self) -> Result<SocketAddr, ConfigError> {
        if !self.listen.ip().to_canonical().is_loopback() && self.identity.keys.is_none() {
            return Err(ConfigError::PublicWithoutAuth { address: self.listen });
        }
        Ok(self.listen)
    }

    /// Returns the settings that say where to listen.
    pub const fn listen_named(&self) -> &'static str {
        self.listen_named
    }

    /// Returns where a client on this machine finds the server.
    pub fn local_url(&self) -> ServerUrl {
        ServerUrl::of_listener(self.listen)
    }

    /// Returns what callers are recognised by.
    pub fn keys(&self) -> Keys {
        Keys {
            jwt: self.identity.keys.clone(),
            service: self.service_token.as_ref().map(SharedSecret::new),
            mr_hire_webhook: self.webhook_secret.as_ref().map(SharedSecret::new),
        }
    }

    /// Returns what whoever starts the server should be told.
    pub fn notices(&self) -> Vec<Notice> {
        notice::of(self)
    }

    /// Returns the same as a check for `/readyz?verbose`.
    pub fn report(&self) -> Report {
        notice::report(&self.notices())
    }
}

/// One thread for two cores: a thread more takes from the database what it gives to the routes, and what
/// waits for a commit comes in smaller batches. `make bench` shows both.
fn half_of_the_cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}

/// Half a login is none.
fn twilio(settings: &mut Settings) -> Result<Option<TwilioAccount>, ConfigError> {
    let sid = Given {
        name: "TWILIO_ACCOUNT_SID",
        value: settings.twilio_account_sid.take(),
        file: settings.twilio_account_sid_file.take(),
    };
    let token = Given {
        name: "TWILIO_AUTH_TOKEN",
        value: settings.twilio_auth_token.take(),
        file: settings.twilio_auth_token_file.take(),
    };
    let login = sid.read()?.zip(token.read()?);
    Ok(login.map(|(sid, token)| TwilioAccount { sid, token }))
}

fn postgres_url(url: SecretString) -> Result<SecretString, ConfigError> {
    let text = url.expose_secret();
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        return Ok(url);
    }
    Err(ConfigError::DatabaseUrl)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn config(arguments: &[&str]) -> Result<Config, ConfigError> {
        let cli = Cli::try_parse_from([&["ringmaster"], arguments].concat()).unwrap();
        Config::new(cli.settings)
    }

    #[test]
    fn command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_a_flag_a_name_and_a_doc() {
        for argument in Cli::command().get_arguments().filter(|a| a.get_id() != "help") {
            if argument.get_id() == "version" {
                continue;
            }
            let id = argument.get_id();
            assert!(argument.get_long().is_some(), "{id} has no flag");
            assert!(argument.get_env().is_some(), "{id} has no name");
            assert!(argument.get_help().is_some(), "{id} has no doc");
            assert!(argument.is_global_set(), "{id} is not understood after a command");
        }
    }

    #[test]
    fn port_counts_only_without_an_address() {
        let listen = |arguments: &[&str]| config(arguments).unwrap().listen.to_string();
        assert_eq!(listen(&[]), "127.0.0.1:8080");
        assert_eq!(listen(&["--port", "9000"]), "127.0.0.1:9000");
        assert_eq!(listen(&["--port", "9000", "--listen", "[::1]:7000"]), "[::1]:7000");
        assert_eq!(listen(&["serve", "--port", "9000"]), "127.0.0.1:9000");
    }

    #[test]
    fn public_address_needs_a_key() {
        let open = config(&["--listen", "0.0.0.0:80"]).unwrap();
        assert!(matches!(open.listen(), Err(ConfigError::PublicWithoutAuth { .. })));
        let empty = config(&["--listen", "0.0.0.0:80", "--jwt-secret", ""]).unwrap();
        assert!(empty.listen().is_err());
        let keyed = config(&["--listen", "0.0.0.0:80", "--jwt-secret", "k"]).unwrap();
        assert!(keyed.listen().is_ok());
        let pem = include_str!("../fixtures/keys/p256.public.pem");
        let keyed = config(&["--listen", "0.0.0.0:80", "--jwt-public-key", pem]).unwrap();
        assert!(keyed.listen().is_ok());
        let wrong = config(&["--jwt-public-key", "a secret"]);
        assert!(matches!(wrong, Err(ConfigError::PublicKey(_))));
        assert!(config(&["--listen", "127.9.9.9:80"]).unwrap().listen().is_ok());
        assert!(config(&["--listen", "[::]:80"]).unwrap().listen().is_err());
    }

    #[test]
    fn simulated_time_never_meets_a_real_engine() {
        let clock = "2026-11-20T10:00:00Z,2026-11-21T04:30:00Z,60";
        let with = |engine: &str| config(&["--simulated-clock", clock, "--engine-url", engine]);
        for local in ["http://127.0.0.1:9/mr-hire", "http://localhost", "http://[::1]:8001", ""] {
            assert!(with(local).is_ok(), "{local}");
        }
        for outside in ["https://engine.example", "http://localhost.example:80", "http://10.0.0.1"]
        {
            assert!(matches!(with(outside), Err(ConfigError::SimulatedClockOutside)), "{outside}");
        }
    }

    #[test]
    fn commands_are_read_and_serve_is_the_default() {
        let id = uuid::Uuid::from_u128(7);
        let id_text = id.to_string();
        let line =
            ["ringmaster", "token", "--role", "EXTERNAL_HR", "--sub", &id_text, "--ttl", "2d"];
        let Some(Command::Token(token)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("another command");
        };
        assert_eq!((token.role, token.sub), (crate::auth::Role::ExternalHr, id));
        assert_eq!((token.ttl, token.tenant), (chrono::Duration::days(2), None));
        let opened = |page: &str| Cli::try_parse_from([&line[..], &["--page", page]].concat());
        let Some(Command::Token(token)) = opened("crm").unwrap().command else {
            panic!("another command");
        };
        assert_eq!(token.pages, [crate::auth::Page::Crm]);
        assert!(opened("lms").is_err());
        assert!(Cli::try_parse_from(["ringmaster"]).unwrap().command.is_none());
        assert!(Cli::try_parse_from(["ringmaster", "dialing", "pause"]).is_err());
        let line = ["ringmaster", "import", "node-backend", "--from", "postgres://u:hunter2@h/d"];
        let Some(Command::Import(import)) = Cli::try_parse_from(line).unwrap().command else {
            panic!("another command");
        };
        assert_eq!((import.source, import.tenant), (ImportSource::NodeBackend, None));
        assert!(!format!("{import:?}").contains("hunter2"));
        assert!(Cli::try_parse_from(["ringmaster", "import", "node-backend"]).is_err());
        let line = ["ringmaster", "dialing", "stop", "--server", "http://a", "--jwt-secret", "k"];
        assert!(matches!(
            Cli::try_parse_from(line).unwrap().command,
            Some(Command::Dialing(DialingArgs { verb: DialingVerb::Stop, .. }))
        ));
    }

    #[test]
    fn rules_of_tokens_are_read_and_empty_ones_are_none() {
        let read = |arguments: &[&str]| config(arguments).unwrap().identity;
        let unset = read(&["--jwt-key-ids", " ,", "--jwt-audience", "", "--jwt-issuer", " "]);
        assert_eq!(unset.rules, crate::auth::TokenRules::default());
        assert!(unset.keys.is_none());
        let set = read(&["--jwt-key-ids", "a, b", "--jwt-audience", "us", "--rate-token", "0"]);
        assert_eq!(
            (set.rules.key_ids, set.rules.audience),
            (vec!["a".into(), "b".into()], Some("us".into()))
        );
        assert_eq!(set.rates.token, crate::rates::Rate::Unlimited);
        assert_eq!(set.rates.failures, crate::rates::Rate::of(60));
    }

    #[test]
    fn engine_is_on_by_default_and_off_when_empty() {
        let engine = |arguments: &[&str]| config(arguments).unwrap().engine;
        assert_eq!(engine(&[]).as_str(), Some("http://localhost:8001"));
        assert_eq!(engine(&["--engine-url", ""]), EngineUrl::Off);
    }

    #[test]
    fn secret_comes_from_a_file_but_not_from_two_places() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, "hunter2\n").unwrap();
        let path = path.to_str().unwrap();
        let read = config(&["--jwt-secret-file", path]).unwrap();
        assert_eq!(read.jwt_secret.unwrap().expose_secret(), "hunter2");
        let twice = config(&["--jwt-secret-file", path, "--jwt-secret", "x"]);
        assert!(matches!(twice, Err(ConfigError::GivenTwice { name: "JWT_SECRET" })));
        let absent = config(&["--jwt-secret-file", "/nowhere/at/all"]);
        assert!(matches!(absent, Err(ConfigError::SecretFile { .. })));
    }

    #[test]
    fn recordings_come_from_named_hosts_and_with_a_whole_login() {
        let hosts = "recordings.example,cdn.example";
        let read = config(&["--recording-hosts", hosts, "--twilio-account-sid", "AC1"]).unwrap();
        let names: Vec<_> = read.recording_hosts.iter().map(RecordingHost::as_str).collect();
        assert_eq!(names, ["recordings.example", "cdn.example"]);
        assert!(read.twilio.is_none(), "half a login is none");
        assert!(read.notices().contains(&Notice::TwilioUnset));
        let whole = ["--twilio-account-sid", "AC1", "--twilio-auth-token", "t"];
        assert!(config(&whole).unwrap().twilio.is_some());
        assert!(config(&["--recording-hosts", ""]).unwrap().recording_hosts.is_empty());
        for bad in ["127.0.0.1", "localhost", "a.example:443", "https://a.example", "A.example"] {
            let line = ["ringmaster", "--recording-hosts", bad];
            assert!(Cli::try_parse_from(line).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_secret_is_printed() {
        let config = config(&[
            "--jwt-secret",
            "hunter2",
            "--webhook-secret",
            "hunter2",
            "--service-token",
            "hunter2",
            "--database-url",
            "postgres://u:hunter2@h/d",
            "--twilio-account-sid",
            "hunter2",
            "--twilio-auth-token",
            "hunter2",
        ]);
        let printed = format!("{:?}", config.unwrap());
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(matches!(
            Cli::try_parse_from(["ringmaster", "--database-url", "mysql://hunter2"])
                .map(|cli| Config::new(cli.settings).map(drop)),
            Ok(Err(ConfigError::DatabaseUrl))
        ));
    }
}
