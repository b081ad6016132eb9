-- An Idempotency-Key may bring the same id again: whoever speaks of an expired job is told which submission it was.
ALTER TABLE tombstones ADD COLUMN submitted_at_unix_ms INTEGER NOT NULL DEFAULT 0;

-- How long this node has been running, over all starts: times to live are counted by it, because calendars jump.
CREATE TABLE running_clock (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    running_ms INTEGER NOT NULL
) STRICT;
-- Times of earlier versions are by the calendar: it goes on from there.
INSERT INTO running_clock (only, running_ms) VALUES (1, unixepoch() * 1000);

-- Where other nodes were found: at a start they are looked for there.
CREATE TABLE peers (
    id            BLOB PRIMARY KEY NOT NULL,
    addresses     TEXT NOT NULL, -- with commas, the best first
    is_registered INTEGER NOT NULL, -- by a person: looked for until it is there
    seen_at_ms    INTEGER NOT NULL -- by running_clock
) STRICT, WITHOUT ROWID;
