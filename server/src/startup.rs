//! From a configuration to a running node, and back to nothing.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use app::ClusterHandle;
use axum::Router;
use cluster::{Input, Node};
use wire::NodeStatus;

use crate::account::Account;
use crate::addresses::Addresses;
use crate::chunks::Chunks;
use crate::compute;
use crate::config::{self, Config, Discovery as DiscoveryMode};
use crate::copy_inputs;
use crate::discovery::Discovery;
use crate::driver::{self, Clock, Driver, World};
use crate::identity::{Identity, LockedFolder, lock_folder};
use crate::known_peers;
use crate::links::{Links, dial};
use crate::listener::{BothVersions, Remote};
use crate::live::Live;
use crate::own_status::OwnStatus;
use crate::results::ResultsUnderWay;
use crate::services::{Parts, Services};
use crate::site::{self, SiteFiles};
use crate::store::Store;
use crate::workers::Workers;
use crate::{http, seat, sockets};

/// How long a node that stops waits for others to take over its jobs.
const HAND_OVER_MAX: Duration = Duration::from_secs(2);

/// How long it gives others the results that only it has.
const RESULTS_HAND_OVER_MAX: Duration = Duration::from_secs(30);

/// How often it says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

/// How often the others are told what was done here.
const WORK_INTERVAL: Duration = Duration::from_secs(2);

/// See [`save_clock`].
const CLOCK_INTERVAL: Duration = Duration::from_secs(60);

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
    let listener = BothVersions::bind(listen_address).await?;
    let bound = listener.address()?;

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
    let router = router.into_make_service_with_connect_info::<Remote>();
    let listener = listener.noting_in(services.links.addresses().clone());
    let server = axum::serve(listener, router).with_graceful_shutdown(async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(async move { server.await });
    let driver_failed = wait(shutdown, driver).await;

    if let Some(discovery) = discovery {
        discovery.stop().await;
    }
    // Whoever asks a second time does not want to wait.
    tokio::select! {
        () = hand_over(services) => {}
        () = stop_signal() => {}
    }
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

/// Lets the backups elect who leads this node's jobs next, and gives others what has ended here.
async fn hand_over(services: &Services) {
    if services.driver.tell_and_wait(Input::Resign).await.is_err() {
        return;
    }
    let running = wait_until(services, |node| !node.has_duties());
    let _ = tokio::time::timeout(HAND_OVER_MAX, running).await;
    let left = |node: &Node| node.results_to_hand_over();
    let handing_over = async {
        loop {
            let count = services.driver.look(move |node, _| left(node)).await;
            match count.unwrap_or(0) {
                0 => return,
                count => tracing::info!(
                    "handing over {count} results to other nodes; Ctrl-C again stops at once"
                ),
            }
            let done = wait_until(services, move |node| left(node) == 0);
            if tokio::time::timeout(PROGRESS_INTERVAL, done).await.is_ok() {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(RESULTS_HAND_OVER_MAX, handing_over).await;
}

/// Waits until something is true of the node, or it has ended.
async fn wait_until(services: &Services, is_true: impl Fn(&Node) -> bool + Clone + Send + 'static) {
    let mut changes = services.driver.changes();
    loop {
        changes.mark_unchanged();
        let is_true = is_true.clone();
        let found = services.driver.look(move |node, _| is_true(node)).await;
        if found.unwrap_or(true) {
            return;
        }
        // Not every step of a handing over is a change that others look for.
        let changed = tokio::time::timeout(Duration::from_millis(100), changes.changed());
        if matches!(changed.await, Ok(Err(_))) {
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
    let node = Node::new(
        node_id,
        identity.incarnation(),
        config.node_config(),
        clock.now(),
    );
    let restored = store.jobs().await?;
    let buried = store.buried().await?;
    let (driver_handle, requests) = driver::requests();
    let addresses = Addresses::read(bound.ip(), bound.port());
    let (links, dial_requests) = Links::new(node_id, addresses.clone());
    let device = device_name();
    let status = own_status(&config, addresses.own(), &device, clock);
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
    for expired in buried {
        services.driver.tell(Input::Buried(expired)).await;
    }
    for job in restored {
        services.driver.tell(Input::Restore(Box::new(job))).await;
    }
    tokio::spawn(dial::run(services.clone(), identity.clone(), dial_requests));
    services.own_status.tell().await;
    for address in services.config.peer.clone() {
        links.keep_linked(address);
    }
    known_peers::look_for(&services).await;
    tokio::spawn(known_peers::remember(services.clone()));
    let own_status = services.own_status.clone();
    tokio::spawn(addresses.follow(move |own| {
        let own_status = own_status.clone();
        async move { own_status.set_addresses(own).await }
    }));
    tokio::spawn(save_clock(services.store.clone()));
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

/// Writes down now and then how long this node has been running.
async fn save_clock(store: Store) {
    loop {
        // Times to live are hours: a process that is killed makes them a minute longer.
        tokio::time::sleep(CLOCK_INTERVAL).await;
        if let Err(error) = store.save_clock().await {
            tracing::debug!(%error, "how long this node was running is not written down");
        }
    }
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

fn own_status(
    config: &Config,
    addresses: Vec<SocketAddr>,
    device: &str,
    clock: Clock,
) -> NodeStatus {
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
            .copied()
            .unwrap_or(bound)
    } else {
        bound
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
