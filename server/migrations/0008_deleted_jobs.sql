-- A job that somebody deleted goes wherever a copy of it still is; one whose time was over is kept by others for theirs.
ALTER TABLE tombstones ADD COLUMN is_deleted INTEGER NOT NULL DEFAULT 0;
