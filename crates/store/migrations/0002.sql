-- The next attempt of a run is numbered without reading all its steps.
CREATE INDEX steps_attempted ON steps (run, attempted) WHERE attempted IS NOT NULL;
