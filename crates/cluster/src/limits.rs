//! Every bound of the protocol, with the reason for its number.

use std::time::Duration;

/// Jobs that one node coordinates at once. Each costs a few hundred bytes a
/// block; this many of the largest fit into memory many times over.
pub const RUNNING_JOBS_MAX: usize = 256;

/// Jobs that a node knows of. A summary takes about 200 bytes.
pub const DIRECTORY_JOBS_MAX: usize = 10_000;

/// Peers of one node: every node holds a link to every other.
pub const PEERS_MAX: usize = 256;

/// Pages that compute through one node.
pub const PAGES_MAX: usize = 512;

/// Blocks in one lease: its tasks fit a frame with room to spare, as a task
/// names at most some hundred chunks of 40 bytes.
pub const LEASE_BLOCKS_MAX: usize = 64;

/// Threads that a device may claim; a claim decides how much it is given.
pub const THREADS_MAX: u32 = 1024;

/// What a block costs a device beside computing it: waking up, fetching its
/// inputs over a slow wireless link, a busy tab. Added to every expected time.
pub const OVERHEAD_EXPECTED: Duration = Duration::from_millis(250);

/// What fetching inputs is expected to cost until it is measured: 5 MB/s, a
/// crowded wireless network.
pub const BYTES_PER_SECOND_EXPECTED: f64 = 5e6;

/// Reserved blocks are released, and late ones doubled, after this many times
/// their expected time.
pub const PATIENCE: u32 = 3;

/// A block may take this part of the block time-out on a device that gets it.
pub const BLOCK_TIMEOUT_PART: u32 = 3;

/// How long a device waits for the answer to a pull before it asks again; an
/// answer is lost only with its link or its coordinator.
pub const PULL_TIMEOUT: Duration = Duration::from_secs(1);

/// How often a running job's progress is told to the other nodes.
pub const SUMMARY_INTERVAL: Duration = Duration::from_millis(250);

/// Blocks that a device holds for each of its threads: one is computed while
/// the next is on its way.
pub const BLOCKS_PER_THREAD: u32 = 2;

/// Devices that may compute the same block at once: the late one and its double.
pub const LEASES_PER_BLOCK_MAX: usize = 2;

/// An expired job is remembered this much longer, so that asking for it says
/// "expired" and not "never known".
pub const TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Expired jobs remembered at once; 16 bytes each.
pub const TOMBSTONES_MAX: usize = 100_000;

/// How long a device that was told "nothing for you" waits when nobody tells
/// it that there is something again: that word may have been lost. Rare enough
/// that a mesh full of idle devices stays quiet.
pub const IDLE_RETRY: Duration = Duration::from_secs(5);

/// How long a device whose result was wrong, or whose lease ran out, is left
/// alone; doubled with each further time, up to [`FAILURES_DOUBLED_MAX`]. Long
/// enough for others to take the block, short enough that a single slip does
/// not cost a device.
pub const FAILURE_PAUSE: Duration = Duration::from_secs(2);

/// See [`FAILURE_PAUSE`]: about a minute in the end.
pub const FAILURES_DOUBLED_MAX: u32 = 5;

/// How long a job for the fastest devices waits for those that were there at
/// its submission before it gives blocks to slow ones: a round trip and a tick.
pub const FASTEST_WAIT: Duration = OVERHEAD_EXPECTED;

/// Results of one device that wait for their coordinator's answer; of a
/// megabyte each at most, in the memory of the device and of its node. A device
/// with more asks for no work.
pub const RESULTS_KEPT_MAX: usize = 256;

/// Devices that one job remembers. More than any room holds, and few enough to
/// look at all of them at every message; the idle ones make way for new ones.
pub const PARTICIPANTS_MAX: usize = 1024;

/// Letters of a name or device that are stored with each block it computed.
pub const NAME_CHARS_MAX: usize = 128;

/// Addresses of one node: each of its interfaces has two or three.
pub const ADDRESSES_MAX: usize = 16;

/// Holders that a job's summary may name: the coordinator and its backups.
pub const HOLDERS_MAX: usize = 16;

/// Length of an idempotency key; people send a UUID.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 1024;

/// MFLOPS of one thread that are believed. A thousand times today's fastest,
/// and sums over all devices stay finite.
pub const THREAD_MFLOPS_MAX: f64 = 1e8;

const _: () = assert!(PATIENCE >= 1 && LEASES_PER_BLOCK_MAX >= 2);
const _: () = assert!(PULL_TIMEOUT.as_millis() < IDLE_RETRY.as_millis());
const _: () = assert!(RUNNING_JOBS_MAX <= DIRECTORY_JOBS_MAX);
