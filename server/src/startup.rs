//! From a configuration to a running node, and back to nothing.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use app::ClusterHandle;
use axum::Router;
use axum::serve::ListenerExt;
use cluster::{Input, Node};
use tokio::net::TcpListener;
use wire::NodeStatus;

use crate::account::Account;
use crate::chunks::Chunks;
use crate::compute;
use crate::config::{self, Config, Discovery as DiscoveryMode};
use crate::copy_inputs;
use crate::discovery::Discovery;
use crate::driver::{self, Clock, Driver, World};
use crate::identity::{Identity, LockedFolder, lock_folder};
use crate::links::{Links, dial, reachable_addresses};
use crate::live::Live;
use crate::own_status::OwnStatus;
use crate::results::ResultsUnderWay;
use crate::services::{Parts, Services};
use crate::site::{self, SiteFiles};
use crate::store::Store;
use crate::workers::Workers;
use crate::{http, seat, sockets};

/// How long a node that stops waits for others to lead its jobs on.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);

/// How often the others are told what was done here.
const WORK_INTERVAL: Duration = Duration::from_secs(2);

/// Requests that are under way at the end get this long.
const GRACE: Duration = Duration::from_secs(1);

/// Starting failed because of how the node was called, not of what happened.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct UsageError(anyhow::Error);

/// Runs a node until the system or a person asks it to end. Not generic, so that
/// all of it is compiled with this library and not again with each program.
pub fn run_until_stopped(config: Config, files: SiteFiles) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(runtime_threads(config::cores()))
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    runtime.block_on(run(config, files, stop_signal()))
}

/// Threads for tasks, which mostly wait: half as many as cores. More of them wake each other for a
/// task that the first is done with before the second runs; what computes has threads of its own.
fn runtime_threads(cores: u32) -> usize {
    (cores as usize / 2).max(1)
}

/// Ctrl-C, or the system's request to end.
async fn stop_signal() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
        .expect("the system lets programs handle signals");
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// Runs a node until `shutdown` is done.
async fn run(
    config: Config,
    files: SiteFiles,
    shutdown: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let folder = config.data_folder()?;
    let _lock: LockedFolder = lock_folder(&folder).map_err(UsageError)?;
    let identity = Identity::load(&folder)?;
    let store = Store::open(&folder, config.sync).await?;
    let listen_address = config.listen_address();
    let listener = TcpListener::bind(listen_address).await.with_context(|| {
        format!(
            "cannot listen on {listen_address}: is another program there? --port gives another port"
        )
    })?;
    let bound = listener.local_addr()?;

    let started = start(config, &identity, store, bound).await?;
    let Started {
        services,
        live,
        cluster,
        driver,
    } = &started;
    tracing::debug!(folder = %folder.display(), "data folder");
    let router = router(services, live, cluster, &identity, files);
    let discovery = start_discovery(services);
    announce(services, bound)?;

    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    // Answers are small and awaited: none waits until there is more to send with it.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(async move { server.await });
    let driver_failed = wait(shutdown, driver).await;

    if let Some(discovery) = discovery {
        discovery.stop().await;
    }
    let _ = tokio::time::timeout(HAND_OVER_MAX, hand_over(services)).await;
    tell_what_waits(services).await;
    let _ = tokio::time::timeout(GRACE, services.driver.leave()).await;
    let _ = stop.send(());
    let _ = tokio::time::timeout(GRACE, server).await;
    services.store.close().await;
    match driver_failed {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Lets the backups elect who leads this node's jobs next.
async fn hand_over(services: &Services) {
    let mut changes = services.driver.changes();
    if services.driver.tell_and_wait(Input::Resign).await.is_err() {
        return;
    }
    loop {
        changes.mark_unchanged();
        let has_duties = services.driver.look(|node, _| node.has_duties()).await;
        if !has_duties.unwrap_or(false) || changes.changed().await.is_err() {
            return;
        }
    }
}

/// Says on the way out what becomes of jobs that are not finished.
async fn tell_what_waits(services: &Services) {
    let running = services.driver.look(|node, _| node.running_jobs()).await;
    match running.unwrap_or(0) {
        0 => tracing::info!("stopping"),
        jobs => tracing::info!(
            "stopping; {jobs} unfinished jobs go on when this node starts again on its data folder"
        ),
    }
}

struct Started {
    services: Services,
    live: Live,
    cluster: ClusterHandle,
    driver: tokio::sync::Mutex<tokio::task::JoinHandle<anyhow::Result<()>>>,
}

/// Waits for the end: asked for, or because the driver cannot go on.
async fn wait(
    shutdown: impl Future<Output = ()>,
    driver: &tokio::sync::Mutex<tokio::task::JoinHandle<anyhow::Result<()>>>,
) -> Option<anyhow::Error> {
    let mut driver = driver.lock().await;
    tokio::select! {
        () = shutdown => None,
        ended = &mut *driver => Some(match ended {
            Ok(Ok(())) => anyhow::anyhow!("the node ended by itself"),
            Ok(Err(error)) => error,
            Err(panic) => anyhow::Error::new(panic).context("the node's own logic failed"),
        }),
    }
}

async fn start(
    config: Config,
    identity: &Identity,
    store: Store,
    bound: SocketAddr,
) -> anyhow::Result<Started> {
    let node_id = identity.node_id();
    let clock = Clock::start();
    let node = Node::new(node_id, config.node_config(), clock.now());
    let restored = store.jobs().await?;
    let buried = store.buried().await?;
    let (driver_handle, requests) = driver::requests();
    let addresses = reachable_addresses(bound.ip(), bound.port());
    let (links, dial_requests) = Links::new(node_id, addresses.clone());
    let device = device_name();
    let status = own_status(&config, addresses, &device, clock);
    let services = Services::from(Parts {
        account: Account::default(),
        config,
        node: node_id,
        port: bound.port(),
        driver: driver_handle.clone(),
        store: store.clone(),
        chunks: Chunks::new(store.clone(), links.clone()),
        links: links.clone(),
        own_status: OwnStatus::new(status, driver_handle),
        workers: Workers::default(),
        results: ResultsUnderWay::default(),
        client: reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(1))
            .no_proxy()
            .build()?,
    });
    let (inputs, wanted_inputs) = tokio::sync::mpsc::unbounded_channel();
    let world = World {
        store,
        links: links.clone(),
        workers: services.workers.clone(),
        results: services.results.clone(),
        chunks: services.chunks.clone(),
        inputs,
    };
    let driver = Driver::new(node, clock, Arc::new(world), requests);
    let driver = tokio::spawn(driver.run());
    tokio::spawn(copy_inputs::run(services.clone(), wanted_inputs));
    for job in buried {
        services.driver.tell(Input::Buried { job }).await;
    }
    for job in restored {
        services.driver.tell(Input::Restore(Box::new(job))).await;
    }
    tokio::spawn(dial::run(services.clone(), identity.clone(), dial_requests));
    services.own_status.tell().await;
    for address in services.config.peer.clone() {
        links.keep_linked(address);
    }
    let threads = services.config.compute_threads();
    let compute_services = services.clone();
    tokio::spawn(async move { compute::start(&compute_services, threads, &device).await });
    tokio::spawn(tell_work(services.clone()));
    let live = Live::start(services.clone());
    let (cluster, commands) = ClusterHandle::new();
    tokio::spawn(seat::serve_seat(commands, services.clone()));
    Ok(Started {
        services,
        live,
        cluster,
        driver: tokio::sync::Mutex::new(driver),
    })
}

/// Tells the others now and then how much this node and its pages have done.
async fn tell_work(services: Services) {
    loop {
        // The pace at which people look at a share; each time goes to every node.
        tokio::time::sleep(WORK_INTERVAL).await;
        let total = services.account.total();
        services.own_status.tell_work(total.operations).await;
    }
}

fn own_status(config: &Config, addresses: Vec<String>, device: &str, clock: Clock) -> NodeStatus {
    NodeStatus {
        // A node that starts again must not count below what it told before.
        version: clock.now().unix_ms,
        name: config.display_name(),
        addresses,
        device: device.to_owned(),
        cores: config::cores(),
        threads: config.compute_threads(),
        mflops: 0.0,
        operations: 0,
        browsers: Vec::new(),
    }
}

fn router(
    services: &Services,
    live: &Live,
    cluster: &ClusterHandle,
    identity: &Identity,
    files: SiteFiles,
) -> Router {
    let pages = site::pages_router(files, cluster.clone(), live.clone());
    let app = http::api_router(services.clone())
        .merge(sockets::sockets_router(
            services.clone(),
            live.clone(),
            identity.clone(),
        ))
        .merge(pages);
    http::guarded(app, services.clone())
}

fn start_discovery(services: &Services) -> Option<Discovery> {
    if services.config.discovery == DiscoveryMode::Off {
        return None;
    }
    match Discovery::start(services.node, services.port, services.links.clone()) {
        Ok(discovery) => Some(discovery),
        Err(error) => {
            tracing::warn!(%error, "no discovery: other nodes must be given with --peer");
            None
        }
    }
}

/// The line that scripts wait for, then what people need to join.
fn announce(services: &Services, bound: SocketAddr) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let shown = if bound.ip().is_unspecified() {
        services
            .links
            .own_addresses()
            .first()
            .cloned()
            .unwrap_or_else(|| bound.to_string())
    } else {
        bound.to_string()
    };
    writeln!(
        out,
        "matmesh listening on http://{shown} node={}",
        services.node.short()
    )?;
    out.flush()?;
    for address in services.links.own_addresses() {
        writeln!(out, "open http://{address} on any device of this network")?;
    }
    if out.is_terminal()
        && let Ok(code) = fast_qr::QRBuilder::new(format!("http://{shown}")).build()
    {
        writeln!(out, "{}", code.to_str())?;
    }
    out.flush()?;
    Ok(())
}

/// Processor and system, as people read them.
fn device_name() -> String {
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    let processor = std::fs::read_to_string("/proc/cpuinfo")
        .ok()
        .and_then(|text| {
            let line = text.lines().find(|line| line.starts_with("model name"))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        });
    match processor {
        Some(processor) => format!("{processor}, {system}"),
        None => system,
    }
}
