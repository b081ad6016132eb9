-- What a node knows of jobs. ARCHITECTURE.md explains each table.
-- Ids and hashes are their raw bytes; times are milliseconds since 1970.

CREATE TABLE jobs (
    id                 BLOB PRIMARY KEY NOT NULL,
    record             BLOB NOT NULL, -- wire::JobRecord, MessagePack
    epoch_number       INTEGER NOT NULL,
    epoch_coordinator  BLOB NOT NULL
) STRICT;

CREATE TABLE blocks (
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
    PRIMARY KEY (job, block)
) STRICT;

-- Beside `blocks`, so that reading who did what does not page over megabytes.
CREATE TABLE results (
    job                BLOB NOT NULL,
    block              INTEGER NOT NULL,
    bytes              BLOB NOT NULL,
    PRIMARY KEY (job, block)
) STRICT;

CREATE TABLE tallies (
    job                BLOB NOT NULL,
    epoch_number       INTEGER NOT NULL,
    epoch_coordinator  BLOB NOT NULL,
    accepted           INTEGER NOT NULL,
    computed           INTEGER NOT NULL,
    rejected           INTEGER NOT NULL,
    reassigned         INTEGER NOT NULL,
    PRIMARY KEY (job, epoch_number, epoch_coordinator)
) STRICT;

CREATE TABLE endings (
    job                BLOB PRIMARY KEY NOT NULL,
    ending             BLOB NOT NULL, -- wire::Ending, MessagePack
    at_unix_ms         INTEGER NOT NULL,
    elapsed_ms         REAL NOT NULL
) STRICT;

CREATE TABLE chunks (
    hash               BLOB PRIMARY KEY NOT NULL,
    bytes              BLOB NOT NULL
) STRICT;

-- Which job needs which chunk; a chunk that none needs is removed.
CREATE TABLE job_chunks (
    job                BLOB NOT NULL,
    hash               BLOB NOT NULL,
    PRIMARY KEY (job, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_chunks_by_hash ON job_chunks (hash);

CREATE TABLE tombstones (
    job                BLOB PRIMARY KEY NOT NULL,
    at_unix_ms         INTEGER NOT NULL
) STRICT;
