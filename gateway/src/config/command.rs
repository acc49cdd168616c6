//! The commands.
//!
//! Each says its usage itself: what is made of an error would name every setting that the environment
//! has as if it were required.

use clap::{Args, Subcommand};
use domain::TenantId;
use secrecy::SecretString;
use uuid::Uuid;

use super::values::{ServerUrl, role, secret, tenant, ttl};
use crate::auth::{Page, Role};

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run the server.
    #[command(override_usage = "ringmaster serve [OPTIONS]")]
    Serve,
    /// Write a bearer token, signed with JWT_SECRET.
    #[command(override_usage = "ringmaster token [OPTIONS] --role <ROLE> --sub <UUID>")]
    Token(TokenArgs),
    /// Bring the database to this version's schema.
    #[command(override_usage = "ringmaster migrate [OPTIONS]")]
    Migrate,
    /// Take over what another system's database holds; may be repeated, and rings nobody.
    #[command(override_usage = "ringmaster import [OPTIONS] --from <URL> <SOURCE>")]
    Import(ImportArgs),
    /// Stop dialing, resume it, or tell which it is.
    #[command(override_usage = "ringmaster dialing [OPTIONS] <VERB>")]
    Dialing(DialingArgs),
    /// Write the description of the HTTP interface, an OpenAPI document.
    #[command(override_usage = "ringmaster openapi")]
    Openapi,
    /// Ask a running server whether it is ready; for container probes.
    #[command(override_usage = "ringmaster healthcheck [OPTIONS]")]
    Healthcheck(HealthcheckArgs),
}

/// What the token says.
#[derive(Clone, Debug, Args)]
pub struct TokenArgs {
    /// What its holder may do.
    #[arg(long, value_parser = role())]
    pub role: Role,
    /// Its holder's id.
    #[arg(long, value_name = "UUID")]
    pub sub: Uuid,
    /// How long it is good for: 90s, 15m, 8h, 30d.
    #[arg(long, value_parser = ttl, default_value = "8h")]
    pub ttl: chrono::Duration,
    /// Whose data its holder sees; the default tenant when absent.
    #[arg(long, value_name = "UUID", value_parser = tenant)]
    pub tenant: Option<TenantId>,
    /// A page of the head office that it opens; may be repeated.
    #[arg(long = "page", value_enum, value_name = "PAGE")]
    pub pages: Vec<Page>,
}

/// Which data, and whose they are here.
#[derive(Clone, Debug, Args)]
pub struct ImportArgs {
    /// What is taken over.
    #[arg(value_enum)]
    pub source: ImportSource,
    /// Where its PostgreSQL is, as a postgres:// URL; it is only read.
    #[arg(long, env = "RINGMASTER_IMPORT_FROM", hide_env_values = true, value_name = "URL")]
    #[arg(value_parser = secret)]
    pub from: SecretString,
    /// Whose the data are here; the default tenant's when absent.
    #[arg(long, value_name = "UUID", value_parser = tenant)]
    pub tenant: Option<TenantId>,
}

/// What can be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ImportSource {
    /// The Node backend that this server replaces.
    NodeBackend,
}

/// The red button.
#[derive(Clone, Debug, Args)]
pub struct DialingArgs {
    /// What to do with it.
    #[arg(value_enum)]
    pub verb: DialingVerb,
    /// What to stop or resume: all, tenant:<uuid> or provider:mr-hire [default: all that is yours].
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// Why, for those who ask later.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Which server [default: the one that these settings would start].
    #[arg(long, env = "RINGMASTER_SERVER", value_name = "URL")]
    pub server: Option<ServerUrl>,
    /// Bearer token to show there.
    #[arg(long, env = "RINGMASTER_TOKEN", hide_env_values = true, value_parser = secret)]
    pub token: Option<SecretString>,
}

/// What to do with the red button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum DialingVerb {
    /// No dial begins after the answer.
    Stop,
    /// Dials may begin again.
    Resume,
    /// Tell whether it is pressed.
    Status,
}

/// Whom to ask.
#[derive(Clone, Debug, Args)]
pub struct HealthcheckArgs {
    /// Which server [default: the one that these settings would start].
    #[arg(long, env = "RINGMASTER_SERVER", value_name = "URL")]
    pub server: Option<ServerUrl>,
}
