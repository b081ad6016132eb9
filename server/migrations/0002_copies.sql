-- Copies of jobs that other nodes lead.

ALTER TABLE jobs ADD COLUMN leadership_version INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN backups BLOB NOT NULL DEFAULT x''; -- node ids, 16 bytes each

-- Results are counted with the block that they are, once each.
ALTER TABLE blocks ADD COLUMN counted INTEGER NOT NULL DEFAULT 1;
ALTER TABLE tallies DROP COLUMN accepted;

-- When it ended by this node's own calendar; `at_unix_ms` is its coordinator's.
ALTER TABLE endings ADD COLUMN here_at_unix_ms INTEGER NOT NULL DEFAULT 0;
UPDATE endings SET here_at_unix_ms = at_unix_ms;
