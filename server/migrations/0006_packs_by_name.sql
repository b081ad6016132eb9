-- Which packs are named is asked whenever a job expires, with ten thousand others still there.
CREATE INDEX chunks_by_pack ON chunks (pack) WHERE pack IS NOT NULL;
CREATE INDEX results_by_pack ON results (pack) WHERE pack IS NOT NULL;
