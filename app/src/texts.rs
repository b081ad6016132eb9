//! both: every sentence that a page says, in one place.
//!
//! Names follow the pages and their parts. A text with a number or a name in it is a function, so
//! that whoever translates the pages finds the whole sentence here.

use crate::format::{duration, grouped, megaflops};

pub(crate) const SITE: &str = "matmesh";
pub(crate) const SKIP: &str = "Skip to content";

pub(crate) mod navigation {
    pub(crate) const LABEL: &str = "Pages";
    pub(crate) const NEW: &str = "New";
    pub(crate) const JOBS: &str = "Jobs";
    pub(crate) const NODES: &str = "Nodes";
    pub(crate) const CONTRIBUTION: &str = "Contribution";
    pub(crate) const THEME: &str = "Colours";
    pub(crate) const THEME_SYSTEM: &str = "system";
    pub(crate) const THEME_LIGHT: &str = "light";
    pub(crate) const THEME_DARK: &str = "dark";
}

pub(crate) mod link {
    pub(crate) const SEARCHING: &str =
        "The node of this page does not answer; this device looks for another one by itself. ";
    pub(crate) const OTHERS: &str = "The same page at other nodes:";

    pub(crate) fn moved(address: &str) -> String {
        format!(
            "The node of this page does not answer any longer. This device goes on through \
             {address}; nothing is lost."
        )
    }
}

pub(crate) mod new_job {
    pub(crate) const TITLE: &str = "New multiplication";
    pub(crate) const A_ROWS: &str = "Matrix A rows";
    pub(crate) const A_COLUMNS: &str = "Matrix A columns";
    pub(crate) const B_ROWS: &str = "Matrix B rows";
    pub(crate) const B_COLUMNS: &str = "Matrix B columns";
    pub(crate) const SIZES: &str = "Sizes";
    pub(crate) const FILL_RANDOM: &str = "Fill Random";
    pub(crate) const FILL_INTEGERS: &str = "Fill Integers";
    pub(crate) const IDENTITY: &str = "Identity";
    pub(crate) const CLEAR: &str = "Clear";
    pub(crate) const RUN: &str = "Run Distributed Multiply";
    pub(crate) const CELLS_HELP: &str = "Arrow keys, Enter and Tab move from cell to cell; cells copied from a spreadsheet can be \
         pasted.";
    pub(crate) const ARITHMETIC: &str = "Arithmetic";
    pub(crate) const REPRODUCIBLE: &str = "Reproducible: the same bits from any crowd";
    pub(crate) const FAST: &str = "Fast: fused and in any order";
    pub(crate) const SPREAD: &str = "Spread";
    pub(crate) const SPREAD_ALL: &str = "All: every device gets some rows";
    pub(crate) const SPREAD_FASTEST: &str = "Fastest: only devices that shorten the job";
    pub(crate) const FILES: &str = "From files";
    pub(crate) const FILES_HELP: &str = "NumPy .npy, comma-separated .csv or Matrix Market .mtx, or one of each: drop them here or \
         choose them. The sizes come from the files.";
    pub(crate) const UPLOAD: &str = "Upload";
    pub(crate) const MULTIPLY_FILES: &str = "Multiply files";
    pub(crate) const REMOVE: &str = "Remove";
    pub(crate) const DROP_MORE: &str =
        "two files at most, one for each matrix: drop them one after the other";
    pub(crate) const COST: &str = "What it will cost";
    pub(crate) const COST_UNKNOWN: &str = "Type the sizes to see what the multiplication costs.";
    pub(crate) const COST_FILES: &str = "The sizes come from the files, and so does the cost.";
    pub(crate) const RECENT: &str = "Recent multiplications";
    pub(crate) const ALL_JOBS: &str = "All jobs";
    pub(crate) const SIDES_FIRST: &str = "Its sizes come first.";
    pub(crate) const SEEDED: &str = "Larger than 15×15: the entries are random numbers in [0, 1) that every device makes itself \
         from the seed.";

    pub(crate) fn file_label(matrix: &str) -> String {
        format!("Matrix {matrix} file")
    }

    pub(crate) fn seed_label(matrix: &str) -> String {
        format!("Seed of matrix {matrix}")
    }

    pub(crate) fn cell_label(matrix: &str, row: u32, column: u32) -> String {
        format!("{matrix} row {row} column {column}")
    }

    pub(crate) fn sent(percent: u32) -> String {
        format!("{percent} % sent")
    }

    pub(crate) fn cost(operations: &str, bytes: &str) -> String {
        format!("{operations} floating-point operations; A, B and C take {bytes}.")
    }

    pub(crate) fn cost_time(time: &str, devices: usize, speed: &str) -> String {
        let plural = if devices == 1 { "device" } else { "devices" };
        format!("About {time} with the {devices} {plural} here now, {speed} together.")
    }

    pub(crate) const COST_NOBODY: &str =
        "No device here computes at the moment: the job waits until one does.";

    pub(crate) fn side_empty(field: &str) -> String {
        format!("{field} is empty: type a whole number.")
    }

    pub(crate) fn side_zero(field: &str) -> String {
        format!("{field} is 0: a matrix has at least 1.")
    }

    pub(crate) fn side_not_whole(field: &str, text: &str) -> String {
        format!("{field} is “{text}”: type a whole number from 1.")
    }

    pub(crate) fn side_too_large(field: &str, most: &str) -> String {
        format!("{field} is more than {most}, the most that this mesh takes.")
    }

    pub(crate) fn cell_problem(matrix: &str, row: usize, column: usize, text: &str) -> String {
        let place = format!("{matrix} row {row} column {column}");
        if text.trim().is_empty() {
            format!("{place} is empty: type a number.")
        } else if text.contains(',') {
            format!("{place}: “{text}” is not a number; use a point, not a comma.")
        } else {
            format!("{place}: “{text}” is not a number.")
        }
    }

    pub(crate) fn pasted(rows: usize, columns: usize, matrix: &str) -> String {
        format!("Pasted {rows} × {columns} cells into matrix {matrix}.")
    }

    pub(crate) fn pasted_ragged(line: usize, expected: usize, found: usize) -> String {
        format!(
            "The pasted rows differ in length: the first has {expected} cells, row {line} has \
             {found}. Cells that were missing stayed as they were."
        )
    }

    pub(crate) const PASTED_CUT: &str =
        "What went beyond 15 × 15 was left out; files take larger matrices.";
}

pub(crate) mod jobs {
    pub(crate) const TITLE: &str = "Jobs";
    pub(crate) const STATUS: &str = "Status";
    pub(crate) const ALL: &str = "all";
    pub(crate) const NONE: &str = "No jobs here. ";
    pub(crate) const START: &str = "Start a multiplication";
    pub(crate) const JOB: &str = "Job";
    pub(crate) const SIZES: &str = "Sizes";
    pub(crate) const BLOCKS: &str = "Blocks";
    pub(crate) const SUBMITTED: &str = "Submitted";

    pub(crate) fn blocks(done: u32, total: u32) -> String {
        format!("{done} of {total}")
    }

    pub(crate) fn more(shown: usize, known: u32) -> String {
        format!("The newest {shown} of {known} jobs; /api/v1/jobs lists all of them.")
    }
}

pub(crate) mod job {
    use super::{duration, grouped};

    pub(crate) const TITLE: &str = "Job";
    pub(crate) const FETCHING: &str = "Fetching the job…";
    pub(crate) const CANCEL: &str = "Cancel";
    pub(crate) const DELETE: &str = "Delete this job";
    pub(crate) const DELETE_HINT: &str =
        "Its result goes from every device of the mesh, and cannot be had again.";
    pub(crate) const DELETE_NOW: &str = "Delete the job and its result";
    pub(crate) const PROGRESS: &str = "Blocks done";
    pub(crate) const REPORT: &str = "Report";
    pub(crate) const MAP: &str = "Blocks";
    pub(crate) const MAP_LABEL: &str = "Map of the blocks of C";
    pub(crate) const MAP_HELP: &str =
        "Point at a block, or use the arrow keys on the map, to see who has it.";
    pub(crate) const LINE: &str = "Time line";
    pub(crate) const DEVICES: &str = "Who computed";
    pub(crate) const COORDINATION: &str = "Coordination";
    pub(crate) const COORDINATOR: &str = "Coordinator";
    pub(crate) const EPOCH: &str = "Epoch";
    pub(crate) const BACKUPS: &str = "Backups";
    pub(crate) const RESULTS: &str = "Accepted";
    pub(crate) const ARITHMETIC: &str = "Arithmetic";
    pub(crate) const SUBMITTED: &str = "Submitted";
    pub(crate) const KEPT_UNTIL: &str = "Kept until";
    pub(crate) const NOBODY: &str = "none";
    pub(crate) const NOT_COMPUTED: &str = "not computed yet";
    pub(crate) const RUNNING: &str = "being computed";
    pub(crate) const MOVED: &str = "given to another device";
    pub(crate) const WAITING: &str = "waiting";
    pub(crate) const RECEIVING: &str = "receiving and sending";
    pub(crate) const COMPUTING: &str = "computing, in the device's colour";
    pub(crate) const HAND_OVER: &str = "another coordinator";
    pub(crate) const RESULT: &str = "Result";
    pub(crate) const RESULT_FETCHING: &str = "Fetching…";
    pub(crate) const RESULT_TOO_LARGE: &str = "Too large to show here; the files hold all of it.";
    pub(crate) const RESULT_WHOLE: &str = "All entries of C";
    pub(crate) const RESULT_CORNER: &str = "The upper left corner of C";
    pub(crate) const DOWNLOAD_CSV: &str = "Download CSV";
    pub(crate) const DOWNLOAD_NPY: &str = "Download NPY";
    pub(crate) const NAME: &str = "Name";
    pub(crate) const SHARE: &str = "Share";
    pub(crate) const BLOCKS: &str = "Blocks";
    pub(crate) const ROWS: &str = "Rows";
    pub(crate) const FLOP: &str = "Flop";
    pub(crate) const TIME: &str = "Time";
    pub(crate) const SPEED: &str = "Mflop/s";
    pub(crate) const VERIFIED: &str = "Verified";
    pub(crate) const NOT_CHECKED: &str = "not checked";
    pub(crate) const NOBODY_COMPUTED: &str = "No device has computed a block.";
    pub(crate) const NOBODY_BEGAN: &str = "No device has a block.";

    pub(crate) fn blocks_done(done: u32, total: u32) -> String {
        let [done, total] = [done, total].map(|count| grouped(count.into()));
        format!("{done} of {total} blocks done")
    }

    pub(crate) fn blocks_waiting(assigned: u32, pending: u32) -> String {
        let [assigned, pending] = [assigned, pending].map(|count| grouped(count.into()));
        format!("{assigned} assigned, {pending} pending")
    }

    pub(crate) fn pace(speed: &str, left_ms: f64) -> String {
        format!("{speed}, about {} left", duration(left_ms))
    }

    pub(crate) fn results(accepted: u64, computed: u64, rejected: u64, reassigned: u64) -> String {
        let [accepted, computed, rejected, reassigned] =
            [accepted, computed, rejected, reassigned].map(grouped);
        format!(
            "{accepted} of {computed} computed, {rejected} rejected; {reassigned} blocks reassigned"
        )
    }

    pub(crate) fn result_size(rows: u32, cols: u32) -> String {
        let [rows, cols] = [rows, cols].map(|side| grouped(side.into()));
        format!("C = A · B, {rows} rows × {cols} columns")
    }

    pub(crate) fn corner_note() -> String {
        format!("{RESULT_CORNER}; the files hold all of it.")
    }

    pub(crate) fn verified(verified: u32, blocks: u32) -> String {
        match verified {
            0 => NOT_CHECKED.to_owned(),
            verified => format!("{verified} of {blocks}"),
        }
    }

    pub(crate) fn took_over(epoch: u64, node: &str, at_ms: f64) -> String {
        format!("Epoch {epoch}: {node} took over at {}.", duration(at_ms))
    }

    pub(crate) fn handed_on(count: usize) -> String {
        let plural = if count == 1 {
            "block was"
        } else {
            "blocks were"
        };
        format!("{count} {plural} given to another device.")
    }

    pub(crate) fn line_label(devices: usize, age_ms: f64) -> String {
        let plural = if devices == 1 { "device" } else { "devices" };
        format!("{devices} {plural} over {}", duration(age_ms))
    }

    pub(crate) fn block(number: u32, rows: (u32, u32), cols: (u32, u32)) -> String {
        format!(
            "Block {number}: rows {}–{}, columns {}–{}",
            rows.0, rows.1, cols.0, cols.1
        )
    }

    pub(crate) fn block_done(device: &str, compute_ms: f64, at_ms: f64, epoch: u64) -> String {
        format!(
            "computed by {device} in {}, stored after {}, epoch {epoch}",
            duration(compute_ms),
            duration(at_ms)
        )
    }

    pub(crate) fn block_running(device: &str, since_ms: f64) -> String {
        format!("{device} has it since {}", duration(since_ms))
    }

    pub(crate) fn block_moved(device: &str) -> String {
        format!("{device} had it before")
    }

    pub(crate) fn other_devices(devices: usize, blocks: u32) -> String {
        let plural = if devices == 1 { "device" } else { "devices" };
        format!("{devices} more {plural}: {}", grouped(blocks.into()))
    }

    pub(crate) const CHECKED: &str = "checked";
    pub(crate) const REPRODUCIBLE: &str = "reproducible";
    pub(crate) const FAST: &str = "fast";
    pub(crate) const SPREAD_ALL: &str = "spread over all devices";
    pub(crate) const SPREAD_FASTEST: &str = "on the fastest devices";
}

pub(crate) mod nodes {
    pub(crate) const TITLE: &str = "Nodes";
    pub(crate) const NAME: &str = "Name";
    pub(crate) const STATUS: &str = "Status";
    pub(crate) const SPEED: &str = "Mflop/s";
    pub(crate) const CORES: &str = "Cores";
    pub(crate) const WORK: &str = "Share of the work";
    pub(crate) const ADDRESS: &str = "Address";
    pub(crate) const THIS_NODE: &str = "this node";
    pub(crate) const THIS_BROWSER: &str = "this browser";
    pub(crate) const BROWSER: &str = "Browser";
    pub(crate) const NATIVE: &str = "native";
    pub(crate) const ALIVE: &str = "alive";
    pub(crate) const SUSPECT: &str = "suspect";
    pub(crate) const UNREACHABLE: &str = "unreachable";
    pub(crate) const VISIBLE: &str = "visible";
    pub(crate) const HIDDEN: &str = "hidden";
    pub(crate) const OFF: &str = "off";
    pub(crate) const JOIN: &str = "Join with another device";
    pub(crate) const JOIN_HELP: &str = "Scan the code or open an address in a browser on the same network. Opening a page is \
         enough to take part; nothing is installed.";
    pub(crate) const REGISTER: &str = "Register a node";
    pub(crate) const REGISTER_HELP: &str =
        "Nodes on one network find each other. Give the address of one that is not listed.";
    pub(crate) const REGISTER_LABEL: &str = "Node address";
    pub(crate) const REGISTER_BUTTON: &str = "Register";
    pub(crate) const REGISTER_EXAMPLE: &str = "192.168.1.20:8080";

    pub(crate) fn code_for(address: &str) -> String {
        format!("QR code for {address}")
    }

    pub(crate) fn kept_apart(others: usize) -> String {
        let others = match others {
            1 => "Another node reaches it".to_owned(),
            some => format!("{some} other nodes reach it"),
        };
        format!(
            "{others}: the network keeps it and this node apart, so what it coordinates gives no work to devices here. \
             A firewall or the isolation of guests may be the cause."
        )
    }

    pub(crate) fn linked(node: &str) -> String {
        format!("Linked to node {node}.")
    }

    pub(crate) fn summary(nodes: usize, browsers: usize, speed: &str) -> String {
        let nodes_word = if nodes == 1 { "node" } else { "nodes" };
        let browsers_word = if browsers == 1 { "browser" } else { "browsers" };
        let alone = if nodes == 1 { ALONE } else { "" };
        format!("{nodes} {nodes_word} and {browsers} {browsers_word}, {speed} together.{alone}")
    }

    /// Behind the sum where there is nobody else.
    const ALONE: &str = " No other node is here. Nodes on one network find each other within seconds; where it keeps \
         multicast away from its devices, register one below by its address.";
}

pub(crate) mod contribution {
    use super::megaflops;

    pub(crate) const TITLE: &str = "My Node Contribution";
    pub(crate) const IN_JOB: &str = "In this job";
    pub(crate) const IN_ALL: &str = "In all jobs";
    pub(crate) const THIS_BROWSER: &str = "This browser";
    pub(crate) const THIS_NODE: &str = "This node";
    pub(crate) const COMPUTE_TIME: &str = "Compute Time";
    pub(crate) const MFLOPS: &str = "MFLOPS";
    pub(crate) const OPERATIONS: &str = "Operations";
    pub(crate) const ROWS: &str = "Rows Processed";
    pub(crate) const DEVICE: &str = "Device";
    pub(crate) const SWITCH: &str = "Contribute this device";
    pub(crate) const THREADS: &str = "Threads";
    pub(crate) const SEARCHING: &str = "looking for a node";
    pub(crate) const OFF: &str = "switched off on this device";
    pub(crate) const BATTERY_LOW: &str = "paused: the battery is low";
    pub(crate) const CHART: &str = "What this browser computes";
    pub(crate) const CHART_EMPTY: &str = "Nothing computed in the last two minutes. As soon as somebody starts a multiplication, \
         this device gets its share.";
    pub(crate) const SHARE: &str = "Share of all work";
    pub(crate) const SHARE_NONE: &str = "Nothing has been computed yet.";
    pub(crate) const EXPLAINED: &str = "Good to know";
    pub(crate) const RULES: [&str; 4] = [
        "While another tab is in front, browsers slow this page down: it gets smaller pieces of \
         work, or none.",
        "Where the browser tells, this device pauses when its battery is below a fifth and not \
         charging.",
        "Closing the page is always fine: whatever it was computing goes to somebody else.",
        "Unless you choose more threads, one processor core is left free for everything else that you do.",
    ];
    pub(crate) const NO_SCRIPT: &str =
        r#"<p class="alert">Scripts are switched off, so this browser does not compute.</p>"#;

    pub(crate) fn node(name: &str) -> String {
        format!("Node {name}")
    }

    pub(crate) fn ready(threads: u32, mflops: Option<f64>) -> String {
        let plural = if threads == 1 { "thread" } else { "threads" };
        match mflops {
            Some(mflops) if mflops > 0.0 => {
                format!("{threads} {plural}, {} Mflop/s", megaflops(Some(mflops)))
            }
            _ => format!("{threads} {plural} ready"),
        }
    }

    pub(crate) fn share(percent: &str) -> String {
        format!("{percent} of everything that the devices here have computed.")
    }

    pub(crate) fn chart_label(peak: &str) -> String {
        format!("MFLOPS of this browser over the last two minutes, at most {peak}")
    }
}
