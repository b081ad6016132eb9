-- A job's key is its id with the last six bytes in front, the time at which it was submitted: what is added
-- for new jobs goes to one place in each table, and a transaction writes few pages. `pack` stays the id as it
-- is, the name of a file. What has short rows is its own index.

CREATE TABLE ordered_jobs (
    id                 BLOB PRIMARY KEY NOT NULL,
    record             BLOB NOT NULL, -- wire::JobRecord, MessagePack
    epoch_number       INTEGER NOT NULL,
    epoch_coordinator  BLOB NOT NULL,
    leadership_version INTEGER NOT NULL,
    backups            BLOB NOT NULL -- node ids, 16 bytes each
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_jobs
    SELECT CAST(substr(id, 11) || substr(id, 1, 10) AS BLOB), record, epoch_number, epoch_coordinator,
        leadership_version, backups
    FROM jobs;
DROP TABLE jobs;
ALTER TABLE ordered_jobs RENAME TO jobs;

CREATE TABLE ordered_blocks (
    job                BLOB NOT NULL,
    block              INTEGER NOT NULL,
    hash               BLOB NOT NULL,
    worker             BLOB NOT NULL,
    kind               TEXT NOT NULL,
    name               TEXT NOT NULL,
    device             TEXT NOT NULL,
    compute_ms         REAL NOT NULL,
    operations         INTEGER NOT NULL,
    epoch_number       INTEGER NOT NULL,
    epoch_coordinator  BLOB NOT NULL,
    counted            INTEGER NOT NULL, -- results are counted with the block that they are, once each
    leased_us          INTEGER NOT NULL,
    stored_us          INTEGER NOT NULL,
    receive_us         INTEGER NOT NULL,
    wait_us            INTEGER NOT NULL,
    taken_from         BLOB, -- a worker, where another had it first
    PRIMARY KEY (job, block)
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_blocks
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), block, hash, worker, kind, name, device,
        compute_ms, operations, epoch_number, epoch_coordinator, counted, leased_us, stored_us, receive_us,
        wait_us, taken_from
    FROM blocks;
DROP TABLE blocks;
ALTER TABLE ordered_blocks RENAME TO blocks;

CREATE TABLE ordered_tallies (
    job                BLOB NOT NULL,
    epoch_number       INTEGER NOT NULL,
    epoch_coordinator  BLOB NOT NULL,
    computed           INTEGER NOT NULL,
    rejected           INTEGER NOT NULL,
    reassigned         INTEGER NOT NULL,
    begun_us           INTEGER NOT NULL,
    PRIMARY KEY (job, epoch_number, epoch_coordinator)
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_tallies
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), epoch_number, epoch_coordinator, computed,
        rejected, reassigned, begun_us
    FROM tallies;
DROP TABLE tallies;
ALTER TABLE ordered_tallies RENAME TO tallies;

CREATE TABLE ordered_endings (
    job                BLOB PRIMARY KEY NOT NULL,
    ending             BLOB NOT NULL, -- wire::Ending, MessagePack
    at_unix_ms         INTEGER NOT NULL, -- by its coordinator's calendar
    elapsed_ms         REAL NOT NULL,
    here_at_unix_ms    INTEGER NOT NULL -- when it ended by this node's own calendar
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_endings
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), ending, at_unix_ms, elapsed_ms, here_at_unix_ms
    FROM endings;
DROP TABLE endings;
ALTER TABLE ordered_endings RENAME TO endings;

CREATE TABLE ordered_tombstones (
    job                BLOB PRIMARY KEY NOT NULL,
    at_unix_ms         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_tombstones
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), at_unix_ms
    FROM tombstones;
DROP TABLE tombstones;
ALTER TABLE ordered_tombstones RENAME TO tombstones;

CREATE TABLE ordered_results (
    job                BLOB NOT NULL,
    block              INTEGER NOT NULL,
    bytes              BLOB NOT NULL,
    pack               BLOB, -- the id of the job whose pack has the bytes
    start              INTEGER NOT NULL,
    length             INTEGER NOT NULL,
    PRIMARY KEY (job, block)
) STRICT;
INSERT INTO ordered_results
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), block, bytes, pack, start, length
    FROM results;
DROP TABLE results;
ALTER TABLE ordered_results RENAME TO results;

CREATE TABLE ordered_job_chunks (
    job                BLOB NOT NULL,
    hash               BLOB NOT NULL,
    PRIMARY KEY (job, hash)
) STRICT, WITHOUT ROWID;
INSERT INTO ordered_job_chunks
    SELECT CAST(substr(job, 11) || substr(job, 1, 10) AS BLOB), hash
    FROM job_chunks;
DROP TABLE job_chunks;
ALTER TABLE ordered_job_chunks RENAME TO job_chunks;
CREATE INDEX job_chunks_by_hash ON job_chunks (hash);
