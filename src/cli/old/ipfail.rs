//! The old name `ipfail`: gives this node's resources up when the other node sees more ping nodes (`api.md` 4.2). Speaks
//! with an ipfail of the original or with one of ours; what it decides, and when, is in `crate::ipfail`.

use std::process::ExitCode;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::client::api::{ApiFailure, ApiSession, myself};
use crate::clock::Clock;
use crate::cluster::Level;
use crate::config::value::duration;
use crate::ipfail::{self, Decider, Facts, Order, Settings};
use crate::time::Mono;
use crate::wire::{Message, field as wire};

use super::log::{FAILED, NEVER_AGAIN, OldLog, runtime};

/// Runs until it is told to end or the daemon goes.
pub(crate) fn ipfail() -> ExitCode {
    let log = OldLog::beside_the_daemon("ipfail");
    ExitCode::from(runtime(&log).map_or(FAILED, |runtime| runtime.block_on(run(&log))))
}

async fn run(log: &OldLog) -> u8 {
    log.write(Level::Debug, &format!("PID={}", std::process::id()));
    log.write(Level::Debug, "Signing in with heartbeat");
    let socket = crate::cli::paths_from_environment().api_socket();
    let mut session = match ApiSession::sign_on(&socket, Some(ipfail::NAME), myself()).await {
        Ok(session) => session,
        Err(failure) => {
            log.error("Cannot sign on with heartbeat");
            log.error(&format!("REASON: {failure}"));
            return FAILED;
        }
    };
    let settings = match settings(&mut session, log).await {
        Ok(Some(settings)) => settings,
        Ok(None) => {
            session.sign_off().await;
            return NEVER_AGAIN;
        }
        Err(failure) => {
            log.error(&format!("heartbeat does not answer: {failure}"));
            return FAILED;
        }
    };
    serve(session, settings, log).await
}

/// What has to be known; `None` where this program makes no sense.
async fn settings(session: &mut ApiSession, log: &OldLog) -> Result<Option<Settings>, ApiFailure> {
    match session.ask("getrsc", &[]).await {
        Ok(_) => {}
        Err(ApiFailure::Bad(_)) => {
            log.error("No managed resources");
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    }
    let failback = session.ask("getparm", &[("pname", "auto_failback")]).await?;
    let failback = match ipfail::goes_home(failback.get("pvalue")) {
        Ok(failback) => failback,
        Err(why) => {
            log.error(&why);
            return Ok(None);
        }
    };
    let deadping = session.ask("getparm", &[("pname", "deadping")]).await?;
    let deadping = deadping.get("pvalue").and_then(|word| duration(word).ok());
    session.ask("setfilter", &[("fmask", "1")]).await?;
    let nodes = nodes(session).await?;
    let me = session.node().to_owned();
    let of_kind = |kind: &'static str| nodes.iter().filter(move |node| node.1 == kind).map(|node| node.0.clone());
    let Some(peer) = of_kind("normal").find(|name| *name != me) else {
        log.error("There is no other node to give anything to.");
        return Ok(None);
    };
    let pings: Vec<String> = of_kind("ping").collect();
    if pings.is_empty() {
        log.write(Level::Warn, "No ping node is configured: nothing to count.");
    }
    session.ask("setsignal", &[("signal", "0")]).await?;
    let (keepalive, deadtime) = (session.time("keepalive"), session.time("deadtime"));
    let keepalive = keepalive.max(Duration::from_millis(1));
    Ok(Some(Settings { me, peer, pings, failback, keepalive, deadping: deadping.unwrap_or(deadtime) }))
}

/// Name, kind and status of each node.
async fn nodes(session: &mut ApiSession) -> Result<Vec<(String, String, String)>, ApiFailure> {
    let mut nodes = Vec::new();
    for entry in session.list("nodelist", &[]).await? {
        let Some(name) = entry.get(wire::NODE).map(str::to_owned) else { continue };
        // A 2.1 says only the names.
        let kind = field(session, &entry, &name, "nodetype", "nodetype").await?;
        let st = field(session, &entry, &name, "nodestatus", wire::ST).await?;
        nodes.push((name, kind, st));
    }
    Ok(nodes)
}

async fn field(
    session: &mut ApiSession,
    entry: &Message,
    node: &str,
    reqtype: &str,
    name: &str,
) -> Result<String, ApiFailure> {
    if let Some(value) = entry.get(name) {
        return Ok(value.to_owned());
    }
    let answer = session.ask(reqtype, &[(wire::NODE, node)]).await?;
    Ok(answer.get(name).unwrap_or("").to_owned())
}

async fn facts(session: &mut ApiSession) -> Result<Facts, ApiFailure> {
    let pings = nodes(session).await?.iter().filter(|(_, _, st)| st == "ping").count();
    let held = session.ask("getrsc", &[]).await?;
    let holds = held.get(wire::RSC_HOLD).unwrap_or("transition").to_owned();
    Ok(Facts { pings: u32::try_from(pings).unwrap_or(u32::MAX), holds })
}

async fn serve(mut session: ApiSession, settings: Settings, log: &OldLog) -> u8 {
    let clock = Clock::start();
    let mut decider = Decider::new(settings);
    let Ok(mut terminated) = signal(SignalKind::terminate()) else { return FAILED };
    loop {
        let message = tokio::select! {
            _ = terminated.recv() => {
                session.sign_off().await;
                return 0;
            }
            () = reach(&clock, decider.next_deadline()) => None,
            message = session.next() => Some(message),
        };
        if let Err(failure) = step(&mut session, &mut decider, &clock, message, log).await {
            log.error(&format!("heartbeat is gone: {failure}"));
            return FAILED;
        }
    }
}

async fn reach(clock: &Clock, at: Option<Mono>) {
    match at {
        Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
        None => std::future::pending().await,
    }
}

async fn step(
    session: &mut ApiSession,
    decider: &mut Decider,
    clock: &Clock,
    message: Option<Result<Message, ApiFailure>>,
    log: &OldLog,
) -> Result<(), ApiFailure> {
    let message = message.transpose()?;
    if message.as_ref().is_some_and(|message| !Decider::concerns(message)) {
        return Ok(());
    }
    let facts = facts(session).await?;
    let now = clock.mono();
    let orders = match &message {
        Some(message) => decider.hear(now, message, &facts),
        None => decider.tick(now, &facts),
    };
    for order in orders {
        match order {
            Order::Say(message) => session.say(&message).await?,
            Order::Log(text) => log.write(Level::Info, &text),
        }
    }
    Ok(())
}
