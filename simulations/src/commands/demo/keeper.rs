//! Keeps the server running: whoever kills it sees it come back.

use std::process::ExitStatus;
use std::time::Duration;

use anyhow::Context;
use simulations::product::{Server, ServerPlan};
use tokio_util::sync::CancellationToken;

use super::screen::Screen;

/// The pause before the first new start; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(500);
/// See [`PAUSE_MIN`].
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// New starts in a row that may fail.
const STARTS_MAX: u32 = 10;
/// How long the server may take to stop; it promises 20 s, its database takes some more.
const STOP_PATIENCE: Duration = Duration::from_secs(40);

/// Keeps a server running until `stop`, then stops it in order.
pub(super) async fn keep(
    plan: ServerPlan,
    mut server: Server,
    screen: Screen,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    loop {
        let ended = tokio::select! {
            () = stop.cancelled() => {
                server.stop(STOP_PATIENCE).await?;
                return Ok(());
            }
            ended = server.wait() => ended?,
        };
        screen.line(format!("!! the server ended ({}): it is started again", said(ended)));
        server = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            again = start_again(&plan, &screen) => again?,
        };
        screen.line(format!("!! the server is back, process {}", server.pid()));
    }
}

async fn start_again(plan: &ServerPlan, screen: &Screen) -> anyhow::Result<Server> {
    let mut pause = PAUSE_MIN;
    for attempt in 1.. {
        tokio::time::sleep(pause).await;
        match Server::start(plan).await {
            Ok(server) => return Ok(server),
            Err(error) if attempt == STARTS_MAX => return Err(error).context("giving up"),
            Err(error) => screen.line(format!("!! {error:#}")),
        }
        pause = (pause * 2).min(PAUSE_MAX);
    }
    unreachable!("the loop ends with a return")
}

fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match status.signal() {
        Some(signal) => format!("signal {signal}"),
        None => status.to_string(),
    }
}
