//! Every bound of the protocol, with the reason for its number.

use std::time::Duration;

/// Jobs that one node coordinates at once. Each costs a few hundred bytes a
/// block; this many of the largest fit into memory many times over.
pub const RUNNING_JOBS_MAX: usize = 256;

/// Jobs that a node knows of. One takes about 400 bytes here, and a copy of it some kilobytes more.
pub const DIRECTORY_JOBS_MAX: usize = 100_000;

/// Jobs that it takes in besides: other nodes accept some before they hear that the directory is full.
pub const DIRECTORY_RESERVE: usize = 4096;

/// How long a node gathers jobs whose results were fetched before it tells the others.
pub const FETCHED_INTERVAL: Duration = Duration::from_secs(1);

/// Jobs in one page of the directory: with the longest key and all holders each takes below 2 KiB, so that a
/// page fits a frame.
pub const SUMMARIES_PER_PAGE: usize = 512;

/// Peers of one node: every node holds a link to every other. `ARCHITECTURE.md` says how far that goes.
pub const PEERS_MAX: usize = 1024;

/// Other nodes of which a newcomer hears from each that it links to: many times over it hears of all.
pub const ACQUAINTANCES_MAX: usize = 64;

/// Nodes that hear of another's address: those that came last may not know it yet.
pub const NEWCOMERS_TOLD_MAX: usize = 8;

/// Nodes that are asked whether they reach one that is not reached from here, and how often.
pub const WITNESSES_MAX: usize = 3;

/// See [`WITNESSES_MAX`]: what they say is shown, and nothing hangs on it.
pub const WITNESS_INTERVAL: Duration = Duration::from_secs(5);

/// So often they are asked about one that none of them has seen.
pub const WITNESSES_IN_VAIN_MAX: u32 = 3;

/// Pages that compute through one node.
pub const PAGES_MAX: usize = 512;

/// Backups of one job that may be asked for; a summary names them all.
pub const BACKUPS_MAX: usize = HOLDERS_MAX - 1;

/// How long a new job waits for its backups before it is called safe without
/// those that did not answer, and a new coordinator before it goes on without
/// them. A copy without inputs takes a round trip and a disk's write; one with
/// large inputs goes on being made while the job runs.
pub const COPIES_WAIT: Duration = Duration::from_millis(1500);

/// A backup that has not answered for so long is not waited for any longer: a
/// megabyte over a crowded wireless network takes a fifth of it.
pub const COPY_PATIENCE: Duration = Duration::from_secs(2);

/// What was sent to a backup is sent again when it answers nothing at all for
/// so long, and each further time after twice as long.
pub const COPY_RETRY: Duration = Duration::from_millis(500);

/// See [`COPY_RETRY`].
pub const COPY_RETRY_MAX: Duration = Duration::from_secs(16);

/// Blocks under way to one backup at once: enough for one write to its disk.
pub const COPIES_UNDER_WAY_MAX: usize = 32;

/// The same in bytes: they wait in the queue of its link, one and a half
/// seconds of a bad wireless one.
pub const COPY_BYTES_UNDER_WAY_MAX: u64 = 8 << 20;

/// A backup that asks for the same again, having got nothing, gets it after so
/// long.
pub const COPY_REQUEST_PAUSE: Duration = Duration::from_millis(250);

/// Running jobs of others of which one node keeps copies; a head takes some
/// kilobytes.
pub const COPIES_MAX: usize = 4096;

/// Copies of jobs that have ended, of one node: as many as its directory knows.
pub const ENDED_COPIES_MAX: usize = DIRECTORY_JOBS_MAX + DIRECTORY_RESERVE;

/// How long after a node came or went the holders of ended jobs are looked through: a node that restarts is
/// back within seconds, and nothing need be copied.
pub const KEEPING_WAIT: Duration = Duration::from_secs(5);

/// Ended jobs that are copied to further holders at once: enough for a network, few beside running jobs.
pub const KEEPING_AT_ONCE: usize = 32;

/// Bytes of results that are copied for that at once; a larger one is copied alone.
pub const KEEPING_BYTES_MAX: u64 = 32 << 20;

/// Ended jobs that are looked at in one step; the others wait for [`KEEPING_PAUSE`], so that heartbeats do not.
pub const KEEPING_LOOKS_MAX: usize = 256;

/// See [`KEEPING_LOOKS_MAX`].
pub const KEEPING_PAUSE: Duration = Duration::from_millis(20);

/// A new holder of an ended job that has not got everything after so long does not hold up the next job.
pub const KEEPING_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a node that starts gives the others to be found before it believes that a coordinator or holder
/// is gone of which it has heard nothing. One that was looked for at all its addresses is not waited for.
pub const HOLDER_SEARCH: Duration = Duration::from_secs(10);

/// How long a holder may announce blocks of which none comes: after that nobody waits for them.
pub const ANNOUNCED_IN_VAIN: Duration = Duration::from_secs(10);

/// How long a candidate waits for what the other holders have.
pub const ELECTION_COLLECT_WAIT: Duration = Duration::from_millis(500);

/// While blocks are coming a candidate waits longer, up to this: what it would
/// not wait for is computed again.
pub const ELECTION_COLLECT_MAX: Duration = Duration::from_secs(10);

/// How often a holder that lacks the end of a job asks the others for it.
pub const END_QUESTION_INTERVAL: Duration = Duration::from_secs(2);

/// A copy whose coordinator has not taken it up again asks it so often how the job stands.
pub const LEFT_BEHIND_INTERVAL: Duration = Duration::from_secs(10);

/// When nobody has led for so long, a copy stands that otherwise would not: one
/// that is on nobody's list, because those on it may lack the inputs; one that
/// lacks blocks of a complete job, because whoever had them may be gone.
pub const LEADERLESS_LONG: Duration = Duration::from_secs(5);

/// How long one that gave way waits for the other to lead before it stands
/// again; doubled with each further time up to [`ELECTION_DOUBLED_MAX`].
pub const ELECTION_VICTORY_WAIT: Duration = Duration::from_millis(700);

/// See [`ELECTION_VICTORY_WAIT`]: some 6 s in the end.
pub const ELECTION_DOUBLED_MAX: u32 = 3;

/// How often the wait is doubled after which a holder that sees the coordinator alive is asked again: some
/// 5 s in the end.
pub const ELECTION_REFUSED_DOUBLED_MAX: u32 = 4;

/// How long a new coordinator waits to hear what the devices already compute
/// before it gives blocks away: what it would give twice is work done twice.
pub const ADOPTION_WAIT: Duration = Duration::from_millis(250);

/// The leases of a page whose node died stay open for so long: its page tries
/// that node twice and then another one.
pub const PAGE_RETURN_WAIT: Duration = Duration::from_secs(2);

/// How long the word of other nodes on a missing one is waited for: some round
/// trips.
pub const SECOND_OPINION_WAIT: Duration = Duration::from_millis(100);

/// Inputs that could not be fetched are tried again after so long.
pub const INPUTS_RETRY: Duration = Duration::from_secs(2);

/// Blocks in one lease: its tasks fit a frame with room to spare, as a task
/// names at most some hundred chunks of 40 bytes.
pub const LEASE_BLOCKS_MAX: usize = 64;

/// Bytes of B that a worker takes with one block: four times what a cut plans for nodes, and memory that a
/// laptop has.
pub const TASK_RIGHT_BYTES_MAX: u64 = 256 << 20;

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

/// A device that has returned blocks of a job is late with one after this many
/// times the time to compute it: others need not wait for it at the job's end.
pub const LATE: u32 = 2;

/// A block that a slow device holds is given to an idle one as well when that
/// brings it so much sooner: some round trips on a wireless network.
pub const SOONER_MIN: Duration = Duration::from_millis(50);

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

/// Work in milliseconds that a node holds for each of its threads, where
/// [`BLOCKS_PER_THREAD`] are less: a result waits for one write to a disk and is
/// stored by the next, and the answer crosses a wireless network.
pub const WORK_AHEAD_MS: f64 = 40.0;

/// The most that [`WORK_AHEAD_MS`] makes of it.
pub const BLOCKS_PER_THREAD_MAX: u32 = 16;

/// Devices that may compute the same block at once: the late one and its double.
pub const LEASES_PER_BLOCK_MAX: usize = 2;

/// An expired job is remembered this much longer, so that asking for it says
/// "expired" and not "never known".
pub const TOMBSTONE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Jobs remembered at once that are gone; about 100 bytes each.
pub const TOMBSTONES_MAX: usize = 100_000;

/// How long a device that hears of a new tiny job waits for blocks that it need not ask for. They come
/// right behind; one that came too late to be known to the coordinator asks so much later.
pub const UNASKED_WAIT: Duration = Duration::from_millis(20);

/// Results of a tiny job wait so long for the others, to be stored and copied together: an order of
/// magnitude longer than such a block takes, and well before anybody would take it for late.
pub const RESULTS_WAIT: Duration = Duration::from_millis(50);

/// Blocks that a device takes without having asked, beyond its room: as many as there may be tiny
/// jobs at once in a full classroom. Each is computed in well under a millisecond and needs some
/// hundred kilobytes at most.
pub const LEASES_UNASKED_MAX: usize = 128;

/// Blocks that a page has at once; it gives more back (`BLOCKS_MAX` in `public/compute/contributor.js`).
pub const PAGE_LEASES_MAX: usize = 80;

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

/// Letters of the reason for which a job failed.
pub const REASON_CHARS_MAX: usize = 512;

/// Addresses of one node: each of its interfaces has two or three.
pub const ADDRESSES_MAX: usize = 16;

/// The longest side of a matrix that a copy is taken of: far beyond what any
/// mesh multiplies, and the chunks of it are still counted in no time.
pub const SIDE_MAX: u32 = 1 << 20;

/// Copies of other jobs under the same id that are remembered as such.
pub const FOREIGN_MAX: usize = 1024;

/// How far beyond the newest known epoch of a job one is believed.
pub const EPOCHS_AHEAD_MAX: u64 = 1 << 20;

/// Epochs of one job of which the tallies are kept; each was an election.
pub const TALLIES_MAX: usize = 4096;

/// Holders that a job's summary may name: the coordinator and its backups.
pub const HOLDERS_MAX: usize = 16;

/// Length of an idempotency key; people send a UUID.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 1024;

/// MFLOPS of one thread that are believed. A thousand times today's fastest,
/// and sums over all devices stay finite.
pub const THREAD_MFLOPS_MAX: f64 = 1e8;

/// How often a node is named as the one to get a chunk from before the next one
/// is: each passes a chunk on twice, and the way to the last of fifty is six long.
pub const REFERRALS_PER_TURN: u32 = 2;

/// How long nobody is referred again to whom it was referred in vain.
pub const REFERRED_IN_VAIN: Duration = Duration::from_secs(30);

/// Chunks of which a node remembers who has them: sixteen gigabytes of matrices,
/// in some megabytes.
pub const CHUNKS_SHARED_MAX: usize = 16_384;

/// Chunks below it are given at once: to say where another one is costs as much.
pub const SHARED_CHUNK_BYTES_MIN: usize = 64 << 10;

const _: () = assert!(PATIENCE >= 1 && LEASES_PER_BLOCK_MAX >= 2);
const _: () = assert!(PULL_TIMEOUT.as_millis() < IDLE_RETRY.as_millis());
const _: () = assert!(RUNNING_JOBS_MAX <= DIRECTORY_JOBS_MAX);
const _: () = assert!(
    SUMMARIES_PER_PAGE * (IDEMPOTENCY_KEY_BYTES_MAX + 64 * HOLDERS_MAX) < wire::FRAME_BYTES_MAX
);
const _: () = assert!(UNASKED_WAIT.as_millis() < PULL_TIMEOUT.as_millis());
