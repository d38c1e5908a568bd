-- Schema 1. Times are microseconds since 1970 UTC, booleans are 0 or 1, and every body says its own
-- version in its first bytes. For PostgreSQL, BLOB reads BYTEA, and WITHOUT ROWID is left out.

CREATE TABLE runs (
  id TEXT NOT NULL PRIMARY KEY,
  created BIGINT NOT NULL,
  updated BIGINT NOT NULL,
  finished BIGINT,
  connection TEXT NOT NULL,
  command TEXT NOT NULL,
  effect TEXT NOT NULL,
  dry_run BIGINT NOT NULL,
  -- Whether a freeze holds it back.
  changes BIGINT NOT NULL,
  -- queued, running, waiting, parked, cancelling, finished
  state TEXT NOT NULL,
  holder TEXT,
  fence BIGINT NOT NULL,
  lease_end BIGINT,
  -- How long it lasts from its last renewal.
  lease BIGINT,
  due BIGINT,
  urgent BIGINT NOT NULL,
  cancel BIGINT NOT NULL,
  way TEXT NOT NULL,
  actor TEXT NOT NULL,
  named TEXT,
  request BLOB NOT NULL,
  return_data TEXT,
  cancelled BIGINT NOT NULL,
  -- Settled items by outcome, a JSON object.
  counts TEXT,
  -- Items that the run set out to change, and mailboxes that it reaches.
  planned BIGINT NOT NULL,
  mailboxes BIGINT NOT NULL,
  undo_of TEXT,
  retry_of TEXT,
  -- The hash that the request carried, and the one that a dry run showed.
  plan_hash TEXT,
  shown_hash TEXT,
  waiting BLOB,
  parked BLOB,
  -- Size of what is kept of its results and pages, and whether raw data may be among it.
  bytes BIGINT NOT NULL,
  raw BIGINT NOT NULL
);
CREATE INDEX runs_listed ON runs (created, id);
CREATE INDEX runs_of_connection ON runs (connection, created, id);
CREATE INDEX runs_of_command ON runs (command, created, id);
CREATE INDEX runs_of_actor ON runs (actor, created);
CREATE INDEX runs_active ON runs (state, connection) WHERE state <> 'finished';
CREATE INDEX runs_undone ON runs (undo_of) WHERE undo_of IS NOT NULL;
CREATE INDEX runs_shown ON runs (shown_hash, created) WHERE shown_hash IS NOT NULL;

CREATE TABLE results (
  run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  body BLOB NOT NULL,
  raw BLOB
) WITHOUT ROWID;

CREATE TABLE plans (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  round BIGINT NOT NULL,
  -- The plan without its steps.
  body BLOB NOT NULL,
  PRIMARY KEY (run, round)
) WITHOUT ROWID;

CREATE TABLE steps (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  step TEXT NOT NULL,
  round BIGINT NOT NULL,
  place BIGINT NOT NULL,
  body BLOB NOT NULL,
  intent BIGINT,
  -- The attempts of a run are counted from 1.
  attempted BIGINT,
  attempt BLOB,
  PRIMARY KEY (run, step)
) WITHOUT ROWID;

CREATE TABLE items (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  item TEXT NOT NULL,
  outcome TEXT NOT NULL,
  body BLOB NOT NULL,
  raw BLOB,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX items_once ON items (run, item);

CREATE TABLE pages (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  page BIGINT NOT NULL,
  count BIGINT NOT NULL,
  shown BLOB NOT NULL,
  raw BLOB,
  PRIMARY KEY (run, page)
);

CREATE TABLE warnings (
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  seq BIGINT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (run, seq)
) WITHOUT ROWID;

CREATE TABLE keys (
  scope TEXT NOT NULL,
  key TEXT NOT NULL,
  digest TEXT NOT NULL,
  run TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
  PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX keys_of_run ON keys (run);

CREATE TABLE tenants (
  connection TEXT NOT NULL PRIMARY KEY,
  claimed BIGINT NOT NULL,
  concurrency BIGINT,
  retry_after BIGINT
) WITHOUT ROWID;

CREATE TABLE settings (
  name TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE tokens (
  id TEXT NOT NULL PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  hash TEXT NOT NULL UNIQUE,
  created BIGINT NOT NULL,
  expires BIGINT NOT NULL,
  last_used BIGINT,
  revoked BIGINT,
  grants BLOB NOT NULL
);

CREATE TABLE audit (
  chain TEXT NOT NULL,
  seq BIGINT NOT NULL,
  at BIGINT NOT NULL,
  what TEXT NOT NULL,
  who TEXT NOT NULL,
  body TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (chain, seq)
) WITHOUT ROWID;

CREATE TABLE heads (
  chain TEXT NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL,
  hash TEXT NOT NULL
) WITHOUT ROWID;
