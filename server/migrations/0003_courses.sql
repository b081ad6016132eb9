-- How each block went, for the map and the time line of a job's page.

ALTER TABLE blocks ADD COLUMN leased_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN stored_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN receive_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN wait_us INTEGER NOT NULL DEFAULT 0;
ALTER TABLE blocks ADD COLUMN taken_from BLOB; -- a worker, where another had it first

ALTER TABLE tallies ADD COLUMN begun_us INTEGER NOT NULL DEFAULT 0;
