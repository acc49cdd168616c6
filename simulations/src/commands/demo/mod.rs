//! `ringmaster-sim demo`: a server of its own, a simulated call engine, and an hour of calls.
//!
//! Nothing here can ring a phone: the one provider is simulated, and the numbers belong to nobody.

mod caller;
mod cue;
mod follow;
mod home;
mod keeper;
mod outcomes;
mod run;
mod screen;
mod stage;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use simulations::clock::Speed;
use simulations::engine::Faults;
use stage::Stage;

use super::{EXIT_INTERRUPTED, interrupted};

/// Real platforms' credentials begin like this; none of them may lie about while a demo runs.
const CREDENTIALS: [&str; 9] = [
    "VAPI_",
    "TWILIO_",
    "ELEVENLABS_",
    "OPENAI_",
    "NVIDIA_",
    "LIVEKIT_",
    "WHATSAPP_",
    "SMTP_",
    "AWS_S3_",
];

/// What the demo shall be like.
#[derive(Clone, clap::Args)]
pub(crate) struct Args {
    /// Go on after the first hour, until interrupted.
    #[arg(long)]
    forever: bool,
    /// Nobody needs a third call: over in seven simulated hours instead of fourteen.
    #[arg(long, conflicts_with = "forever")]
    short: bool,
    /// What everything random comes from. A later run on the same data draws other calls.
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Simulated seconds per real second. Beyond 600 the product's shortest time limit no longer
    /// holds everywhere: a dial leaves within 10 simulated seconds of its decision, or is put off.
    #[arg(long, default_value = "60")]
    speed: Speed,
    /// How many candidates are called in the first hour, and in each one after it.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    calls: u32,
    /// Where the data lie; the next run goes on from there.
    #[arg(long, default_value = ".ringmaster/demo")]
    home: PathBuf,
    /// Where the server listens.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What goes wrong with the engine: `lifelike`, `none` or a JSON file.
    #[arg(long, default_value = "lifelike")]
    faults: String,
    /// The server's program [default: `ringmaster` beside this one].
    #[arg(long)]
    server_bin: Option<PathBuf>,
}

/// Runs the demo to its end; fails when ledger and server do not agree.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    refuse_real_platforms(|name| std::env::var(name).ok(), std::env::vars_os())?;
    let stop = interrupted()?;
    let forever = args.forever;
    let stage = tokio::select! {
        built = Stage::build(args) => built?,
        () = stop.cancelled() => return Ok(ExitCode::from(EXIT_INTERRUPTED)),
    };
    match stage.play(stop.clone()).await? {
        _ if stop.is_cancelled() && forever => Ok(ExitCode::SUCCESS),
        _ if stop.is_cancelled() => Ok(ExitCode::from(EXIT_INTERRUPTED)),
        agrees => Ok(if agrees { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
    }
}

/// Refuses to run where a real platform could be meant.
fn refuse_real_platforms(
    value: impl Fn(&str) -> Option<String>,
    names: impl Iterator<Item = (std::ffi::OsString, std::ffi::OsString)>,
) -> anyhow::Result<()> {
    for (name, value) in names {
        let name = name.to_string_lossy();
        let is_credential = CREDENTIALS.iter().any(|prefix| name.starts_with(prefix));
        if is_credential && !value.is_empty() {
            bail!(
                "{name} is set: the demo calls nobody and uses no real platform. Unset it, or run \
                 `ringmaster` itself"
            );
        }
    }
    let engine = value("MR_HIRE_BACKEND_URL").filter(|url| !url.is_empty());
    if let Some(url) = engine {
        bail!(
            "MR_HIRE_BACKEND_URL is set to {url}: the demo brings a simulated engine of its own. \
             Unset it, or run `ringmaster` itself"
        );
    }
    Ok(())
}

/// Reads what shall go wrong.
fn faults(choice: &str) -> anyhow::Result<Faults> {
    match choice {
        "none" => Ok(Faults::default()),
        "lifelike" => Ok(Faults::lifelike()),
        path => {
            let text = std::fs::read(path).with_context(|| format!("cannot read {path}"))?;
            serde_json::from_slice(&text).with_context(|| format!("cannot use {path}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(name: &str, value: &str) -> Option<String> {
        let engine = |asked: &str| (asked == name).then(|| value.to_owned());
        let names = std::iter::once((name.into(), value.into()));
        refuse_real_platforms(engine, names).err().map(|error| error.to_string())
    }

    #[test]
    fn credentials_of_a_real_platform_are_refused_with_a_reason() {
        for name in ["VAPI_API_KEY", "TWILIO_AUTH_TOKEN", "ELEVENLABS_API_KEY"] {
            let said = refused(name, "secret").unwrap();
            assert!(said.contains(name) && !said.contains("secret"), "{said}");
            assert_eq!(refused(name, ""), None);
        }
        assert!(refused("MR_HIRE_BACKEND_URL", "https://engine.example").is_some());
        assert_eq!(refused("PATH", "/bin"), None);
    }
}
