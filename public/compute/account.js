// What this device did: only results that its node counted enter here.
//
// The account is kept in the session's storage beside the tab's id, so that a
// reload goes on with the same figures as the job's `contributions` show.

// The oldest leave first; a page shows one job at a time.
const JOBS_MAX = 50;

// At most five events a second: the panel's figures are for eyes.
const PUBLISH_MS = 200;

const STORAGE_KEY = 'matmesh.account';

/** Keeps `state.jobs` and `state.total`, and tells the page of every change of `state`. */
export function createAccount(state) {
  let rowsOfJobs = {}; // by job, the first rows of those blocks that count already
  let timer = null;
  let publishedAt = -Infinity;

  function restore() {
    try {
      const saved = JSON.parse(sessionStorage.getItem(STORAGE_KEY));
      // A duplicated tab brings a copy of its twin's account along; it goes
      // with the id, never with the tab.
      if (saved && saved.worker === state.worker) {
        state.jobs = saved.jobs;
        state.total = saved.total;
        rowsOfJobs = saved.rows || {};
      }
    } catch {
      // No storage, or not our text: begin with an empty account.
    }
  }

  function save() {
    try {
      const { worker, jobs, total } = state;
      sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ worker, jobs, total, rows: rowsOfJobs }));
    } catch {
      // Without storage the account lives as long as the page.
    }
  }

  function publish() {
    timer = null;
    publishedAt = performance.now();
    save();
    window.dispatchEvent(new CustomEvent('matmesh:state', { detail: JSON.stringify(state) }));
  }

  /** A person changed a setting: the page shows it before they touch the next one. */
  function changedByPerson() {
    clearTimeout(timer);
    publish();
  }

  /** Something of `state` changed: tell whoever listens, soon and not too often. */
  function changed() {
    if (timer !== null) return;
    timer = setTimeout(publish, Math.max(0, publishedAt + PUBLISH_MS - performance.now()));
  }

  /** One more block has this device's credit; `rowStart` is the first of its rows. */
  function count(job, rowStart, figures) {
    const rows = isFirstOfItsRows(job, rowStart) ? figures.rows : 0;
    const account = state.jobs[job] || emptyFigures();
    // Deleted and set again, the job is the youngest; a rewritten object would
    // lose that order for ids that look like numbers, which 32 digits never do.
    delete state.jobs[job];
    state.jobs[job] = account;
    for (const figure of [account, state.total]) {
      figure.blocks += 1;
      figure.rows += rows;
      figure.operations += figures.operations;
      figure.compute_ms += figures.compute_ms;
    }
    const jobs = Object.keys(state.jobs);
    if (jobs.length > JOBS_MAX) {
      delete state.jobs[jobs[0]];
      delete rowsOfJobs[jobs[0]];
    }
    changed();
  }

  /** Where C is cut by columns too, blocks beside each other have the same rows: those count once. */
  function isFirstOfItsRows(job, rowStart) {
    const counted = (rowsOfJobs[job] = rowsOfJobs[job] || []);
    if (counted.includes(rowStart)) return false;
    counted.push(rowStart);
    return true;
  }

  /** A new id starts with nothing done. */
  function reset() {
    state.jobs = {};
    state.total = emptyFigures();
    rowsOfJobs = {};
    changed();
  }

  restore();
  // A page that leaves between two events still takes its last figures along.
  window.addEventListener('pagehide', save);
  return { changed, changedByPerson, count, reset };
}

function emptyFigures() {
  return { blocks: 0, rows: 0, operations: 0, compute_ms: 0 };
}
