-- Large pieces lie in files beside this one: `pack` names the file, a job's id, and `bytes` is empty.

ALTER TABLE chunks ADD COLUMN pack BLOB;
ALTER TABLE chunks ADD COLUMN start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE chunks ADD COLUMN length INTEGER NOT NULL DEFAULT 0;

ALTER TABLE results ADD COLUMN pack BLOB;
ALTER TABLE results ADD COLUMN start INTEGER NOT NULL DEFAULT 0;
ALTER TABLE results ADD COLUMN length INTEGER NOT NULL DEFAULT 0;
