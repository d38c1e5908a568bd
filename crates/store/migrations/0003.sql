-- What a run of a token with caps may change, counted until the run is over.
CREATE TABLE reserved (
  run TEXT NOT NULL PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
  items BIGINT NOT NULL,
  mailboxes BIGINT NOT NULL
) WITHOUT ROWID;
