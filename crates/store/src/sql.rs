//! Every statement, written once for both databases. A test prepares them all on both.

macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $($sql:expr),+;)*) => {
        $($(#[$doc])* pub(crate) const $name: &str = concat!($($sql),+);)*

        /// All of them, with their names.
        pub(crate) const ALL: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}

/// The columns of a run's row, as `run::from_row` reads them.
macro_rules! run_columns {
    () => {
        "id, created, updated, finished, connection, command, effect, dry_run, state, holder, \
         fence, lease_end, due, urgent, cancel, way, actor, named, request, return_data, \
         cancelled, counts, planned, mailboxes, undo_of, retry_of, plan_hash, shown_hash, \
         waiting, parked"
    };
}

/// A page of the run list, newest first; `$first` is the condition that the index begins with.
macro_rules! run_page {
    ($first:expr) => {
        concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs WHERE ",
            $first,
            " AND (created, id) < ($1, $2) AND created >= $3 \
              AND (CAST($4 AS TEXT) IS NULL OR connection = $4) \
              AND (CAST($5 AS TEXT) IS NULL OR command = $5) \
              AND (CAST($6 AS TEXT) IS NULL OR state = $6) \
              ORDER BY created DESC, id DESC LIMIT $7"
        )
    };
}

statements! {
    META = "SELECT name, number FROM meta";
    SET_META = "INSERT INTO meta (name, number) VALUES ($1, $2) \
        ON CONFLICT (name) DO UPDATE SET number = excluded.number";

    FROZEN = "SELECT body FROM settings WHERE name = 'frozen'";
    SET_FROZEN = "INSERT INTO settings (name, body) VALUES ('frozen', $1) \
        ON CONFLICT (name) DO UPDATE SET body = excluded.body";
    UNSET_FROZEN = "DELETE FROM settings WHERE name = 'frozen'";

    ADD_RUN = "INSERT INTO runs (id, created, updated, finished, connection, command, effect, \
        dry_run, changes, state, holder, fence, lease_end, due, urgent, cancel, way, actor, named, \
        request, return_data, cancelled, counts, planned, mailboxes, undo_of, retry_of, plan_hash, \
        shown_hash, bytes, lease, raw) \
        VALUES ($1, $2, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, $15, $16, $17, \
        $18, $19, $20, $21, $22, 0, $23, $24, $25, $26, $27, $28, 1) ON CONFLICT (id) DO NOTHING";
    ADD_KEY = "INSERT INTO keys (scope, key, digest, run) VALUES ($1, $2, $3, $4) \
        ON CONFLICT (scope, key) DO NOTHING";
    KEY = "SELECT digest, run FROM keys WHERE scope = $1 AND key = $2";
    LEASE = "SELECT state, holder, fence, cancel FROM runs WHERE id = $1";
    UNDOES = "SELECT id, state, return_data FROM runs WHERE undo_of = $1 AND dry_run = 0 \
        ORDER BY created DESC, id DESC";

    /// A lease that ends later than any can was given before the clock went back: it is cut to
    /// what its holder may believe at most.
    CUT_LEASES = "UPDATE runs SET lease_end = $1 + lease \
        WHERE state <> 'finished' AND lease_end > $1 + lease";
    FAR_LEASES = "SELECT 1 FROM runs WHERE state <> 'finished' AND lease_end > $1 + lease LIMIT 1";
    /// A time until which a tenant is left alone that lies further ahead than any can is from
    /// before the clock went back.
    CUT_QUIET = "UPDATE tenants SET retry_after = CAST($1 AS BIGINT) + $2 \
        WHERE retry_after > CAST($1 AS BIGINT) + $2";
    FAR_QUIET = "SELECT 1 FROM tenants WHERE retry_after > CAST($1 AS BIGINT) + $2 LIMIT 1";
    /// The runs that may be claimed: up to $2 of each connection, in the order in which they are.
    CLAIMABLE = "SELECT id, connection, fence FROM (\
          SELECT r.id, r.connection, r.fence, r.urgent, r.created, \
            COALESCE(t.claimed, 0) AS claimed, \
            ROW_NUMBER() OVER (PARTITION BY r.connection \
              ORDER BY r.urgent DESC, r.created, r.id) AS place \
          FROM runs r LEFT JOIN tenants t ON t.connection = r.connection \
          WHERE r.state <> 'finished' AND r.state <> 'parked' \
            AND (r.lease_end IS NULL OR r.lease_end <= $1) \
            AND (r.due IS NULL OR r.due <= $1 OR r.cancel = 1) \
            AND (r.changes = 0 OR r.cancel = 1 OR CAST($3 AS BIGINT) = 0) \
            AND (t.retry_after IS NULL OR t.retry_after <= $1)) ranked \
        WHERE place <= $2 ORDER BY urgent DESC, place, claimed, connection LIMIT $4";
    /// The row of a tenant is locked by this until the claim is committed, so that two workers
    /// never count its runs at the same time.
    CLAIM_TENANT = "INSERT INTO tenants (connection, claimed) VALUES ($1, $2) \
        ON CONFLICT (connection) DO UPDATE SET claimed = CASE \
          WHEN tenants.claimed >= excluded.claimed THEN tenants.claimed + 1 \
          ELSE excluded.claimed END";
    LIVE = "SELECT COUNT(*) FROM runs WHERE connection = $1 AND state <> 'finished' \
        AND state <> 'parked' AND lease_end > $2";
    CLAIM = "UPDATE runs SET holder = $3, fence = fence + 1, lease_end = CAST($5 AS BIGINT) + $4, lease = $4, \
          updated = $5, \
          due = NULL, waiting = NULL, \
          state = CASE WHEN cancel = 1 THEN 'cancelling' ELSE 'running' END \
        WHERE id = $1 AND fence = $2 AND state <> 'finished' AND state <> 'parked' \
          AND (lease_end IS NULL OR lease_end <= $5) \
        RETURNING fence, request, way, actor, named, connection, effect";
    RENEW = "UPDATE runs SET lease_end = CAST($3 AS BIGINT) + $4, lease = $4 \
        WHERE id = $1 AND fence = $2 AND holder IS NOT NULL \
        AND state <> 'finished' AND state <> 'parked'";
    RELEASE = "UPDATE runs SET lease_end = NULL, holder = NULL, updated = $3, waiting = NULL, \
          state = CASE WHEN cancel = 1 THEN 'cancelling' ELSE 'queued' END \
        WHERE id = $1 AND fence = $2 AND holder IS NOT NULL AND state <> 'finished' \
          AND state <> 'parked'";
    PARK = "UPDATE runs SET lease_end = NULL, holder = NULL, updated = $3, waiting = NULL, \
          state = 'parked', parked = $4 \
        WHERE id = $1 AND fence = $2 AND holder IS NOT NULL AND state <> 'finished' \
          AND state <> 'parked' RETURNING connection, actor";
    END_LEASES = "UPDATE runs SET lease_end = NULL, holder = NULL, updated = $1, \
          state = CASE WHEN cancel = 1 THEN 'cancelling' ELSE 'queued' END \
        WHERE state <> 'finished' AND state <> 'parked' AND holder IS NOT NULL \
        RETURNING id, connection";

    /// Everything that is written of a run goes through this first: it holds the run, or not. $4 is
    /// 0 to leave the wait as it is, 1 to end it, 2 to begin it.
    TOUCH = "UPDATE runs SET updated = $3, \
          planned = CASE WHEN planned < $6 THEN $6 ELSE planned END, \
          mailboxes = CASE WHEN mailboxes < $7 THEN $7 ELSE mailboxes END, \
          bytes = bytes + $8, \
          waiting = CASE WHEN CAST($4 AS BIGINT) = 0 THEN waiting ELSE $5 END, \
          state = CASE WHEN cancel = 1 THEN 'cancelling' \
            WHEN CAST($4 AS BIGINT) = 2 THEN 'waiting' \
            WHEN CAST($4 AS BIGINT) = 1 THEN 'running' ELSE state END \
        WHERE id = $1 AND fence = $2 AND holder IS NOT NULL AND state <> 'finished' \
          AND state <> 'parked' \
        RETURNING lease_end, connection, actor";
    FINISH = "UPDATE runs SET state = 'finished', updated = $3, finished = $3, lease_end = NULL, \
          waiting = NULL, return_data = $4, cancelled = $5, counts = $6, \
          shown_hash = $7, bytes = bytes + $8, \
          planned = CASE WHEN planned < $9 THEN $9 ELSE planned END, \
          mailboxes = CASE WHEN mailboxes < $10 THEN $10 ELSE mailboxes END \
        WHERE id = $1 AND fence = $2 AND holder IS NOT NULL AND state <> 'finished' \
          AND state <> 'parked' \
        RETURNING lease_end, connection, actor";
    ADD_RESULT = "INSERT INTO results (run, body, raw) VALUES ($1, $2, $3)";

    ADD_PLAN = "INSERT INTO plans (run, round, body) VALUES ($1, $2, $3) \
        ON CONFLICT (run, round) DO UPDATE SET body = excluded.body";
    ADD_STEP = "INSERT INTO steps (run, step, round, place, body, intent) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (run, step) DO UPDATE SET \
        round = excluded.round, place = excluded.place, body = excluded.body, \
        intent = COALESCE(steps.intent, excluded.intent)";
    INTEND = "UPDATE steps SET intent = $3 WHERE run = $1 AND step = $2 RETURNING body";
    ATTEMPT = "INSERT INTO steps (run, step, round, place, body, intent, attempt, attempted) \
        VALUES ($1, $2, 0, 0, $3, $5, $4, \
          (SELECT COALESCE(MAX(s.attempted), 0) + 1 FROM steps s \
            WHERE s.run = $1 AND s.attempted IS NOT NULL)) \
        ON CONFLICT (run, step) DO UPDATE SET attempt = excluded.attempt, \
        attempted = excluded.attempted";
    ADD_ITEM = "INSERT INTO items (run, seq, item, outcome, body, raw) \
        VALUES ($1, (SELECT COALESCE(MAX(i.seq), 0) + 1 FROM items i WHERE i.run = $1), \
        $2, $3, $4, $5) ON CONFLICT (run, item) DO NOTHING";
    DROP_PAGES = "DELETE FROM pages WHERE run = $1";
    ADD_PAGE = "INSERT INTO pages (run, page, count, shown, raw) VALUES ($1, $2, $3, $4, $5) \
        ON CONFLICT (run, page) DO UPDATE SET count = excluded.count, shown = excluded.shown, \
        raw = excluded.raw";
    ADD_WARNING = "INSERT INTO warnings (run, seq, body) VALUES ($1, \
        (SELECT COALESCE(MAX(w.seq), 0) + 1 FROM warnings w WHERE w.run = $1), $2)";

    STEPS = "SELECT step, round, body, intent, attempted, attempt FROM steps WHERE run = $1 \
        ORDER BY round, place, step";
    STEPS_OF_ROUND = "SELECT body FROM steps WHERE run = $1 AND round = $2 ORDER BY place";
    PLANS = "SELECT round, body FROM plans WHERE run = $1 ORDER BY round";
    ITEMS = "SELECT seq, body, raw FROM items WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    WARNINGS = "SELECT body FROM warnings WHERE run = $1 ORDER BY seq";
    PAGE = "SELECT page, shown, raw FROM pages WHERE run = $1 AND page > $2 ORDER BY page LIMIT 1";
    RESULT = "SELECT body, raw FROM results WHERE run = $1";
    SHOWN = "SELECT id FROM runs WHERE shown_hash = $1 ORDER BY created DESC, id DESC LIMIT 1";

    BUDGET = "SELECT concurrency, retry_after FROM tenants WHERE connection = $1";
    KEEP_BUDGET = "INSERT INTO tenants (connection, claimed, concurrency, retry_after) \
        VALUES ($1, 0, $2, $3) ON CONFLICT (connection) DO UPDATE SET \
        concurrency = excluded.concurrency, retry_after = excluded.retry_after";

    RUN = "SELECT ", run_columns!(), " FROM runs WHERE id = $1";
    RUNS = run_page!("1 = 1");
    RUNS_OF_CONNECTION = run_page!("connection = $4");
    RUNS_OF_COMMAND = run_page!("command = $5");
    RUNS_ACTIVE = run_page!("state <> 'finished' AND state = $6");
    INTERRUPTED = "SELECT ", run_columns!(), " FROM runs WHERE state <> 'finished' \
        AND state <> 'parked' AND fence > 0 AND (lease_end IS NULL OR lease_end <= $1) \
        ORDER BY created, id";
    ASK_CANCEL = "UPDATE runs SET cancel = 1, updated = $2, state = 'cancelling', parked = NULL \
        WHERE id = $1 AND state <> 'finished'";
    END_UNSTARTED = "UPDATE runs SET state = 'finished', updated = $2, finished = $2, cancel = 1, \
        fence = fence + 1, cancelled = 1, return_data = $3, counts = $4, waiting = NULL \
        WHERE id = $1 AND fence = 0 AND (state = 'queued' OR state = 'waiting')";
    UNPARK = "UPDATE runs SET parked = NULL, updated = $2, \
          state = CASE WHEN cancel = 1 THEN 'cancelling' ELSE 'queued' END \
        WHERE id = $1 AND state = 'parked' RETURNING connection";
    /// A run that is not over counts with what it may still change, however old it is.
    USAGE = "SELECT COUNT(*), \
        CAST(COALESCE(SUM(CASE WHEN r.state <> 'finished' AND v.items > r.planned \
          THEN v.items ELSE r.planned END), 0) AS BIGINT), \
        CAST(COALESCE(SUM(CASE WHEN r.state <> 'finished' AND v.mailboxes > r.mailboxes \
          THEN v.mailboxes ELSE r.mailboxes END), 0) AS BIGINT) \
        FROM runs r LEFT JOIN reserved v ON v.run = r.id \
        WHERE r.actor = $1 AND (r.created >= $2 OR r.state <> 'finished') AND r.changes = 1";
    /// Changes nothing, and keeps others from doing the same until the transaction ends.
    HOLD_TOKEN = "UPDATE tokens SET revoked = revoked WHERE name = $1";
    RESERVE = "INSERT INTO reserved (run, items, mailboxes) VALUES ($1, $2, $3)";

    ADD_TOKEN = "INSERT INTO tokens (id, name, hash, created, expires, grants) \
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    TOKENS = "SELECT id, name, created, expires, last_used, revoked, grants FROM tokens \
        ORDER BY created, id";
    TOKEN = "SELECT id, name, created, expires, last_used, revoked, grants FROM tokens \
        WHERE hash = $1";
    TOKEN_USED = "UPDATE tokens SET last_used = $2 WHERE id = $1 \
        AND (last_used IS NULL OR last_used < $2)";
    REVOKE_TOKEN = "UPDATE tokens SET revoked = $2 WHERE id = $1 AND revoked IS NULL \
        RETURNING name";

    NEXT_HEAD = "UPDATE heads SET seq = seq + 1 WHERE chain = $1 RETURNING seq, hash";
    FIRST_HEAD = "INSERT INTO heads (chain, seq, hash) VALUES ($1, 0, $2) \
        ON CONFLICT (chain) DO NOTHING";
    SET_HEAD = "UPDATE heads SET seq = $2, hash = $3 WHERE chain = $1";
    ADD_AUDIT = "INSERT INTO audit (chain, seq, at, what, who, body, hash) \
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    HEADS = "SELECT chain, seq, hash FROM heads ORDER BY chain";
    AUDIT = "SELECT chain, seq, at, what, who, body, hash FROM audit \
        WHERE chain = $1 AND seq > $2 ORDER BY seq LIMIT $3";

    PRUNABLE = "SELECT id, connection, bytes FROM runs r WHERE state = 'finished' \
          AND finished < $1 AND (CAST($2 AS TEXT) IS NULL OR connection = $2) \
          AND NOT EXISTS (SELECT 1 FROM runs u WHERE u.undo_of = r.id AND u.state <> 'finished') \
        ORDER BY created, id LIMIT $3";
    DROP_RUN = "DELETE FROM runs WHERE id = $1";
    RAW_PRUNABLE = "SELECT id, connection FROM runs WHERE state = 'finished' AND raw = 1 \
          AND finished < $1 AND (CAST($2 AS TEXT) IS NULL OR connection = $2) \
        ORDER BY created, id LIMIT $3";
    /// Goes before those that empty the columns: what they free no longer counts.
    DROP_RAW = "UPDATE runs SET raw = 0, bytes = CASE WHEN bytes > f.freed \
          THEN bytes - f.freed ELSE 0 END \
        FROM (SELECT CAST(COALESCE(SUM(LENGTH(raw)), 0) AS BIGINT) AS freed FROM (\
            SELECT raw FROM results WHERE run = $1 \
            UNION ALL SELECT raw FROM pages WHERE run = $1 \
            UNION ALL SELECT raw FROM items WHERE run = $1) AS kept) AS f \
        WHERE id = $1";
    DROP_RAW_RESULT = "UPDATE results SET raw = NULL WHERE run = $1 AND raw IS NOT NULL";
    DROP_RAW_PAGES = "UPDATE pages SET raw = NULL WHERE run = $1 AND raw IS NOT NULL";
    DROP_RAW_ITEMS = "UPDATE items SET raw = NULL WHERE run = $1 AND raw IS NOT NULL";
    KEPT_BYTES = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM runs \
        WHERE state = 'finished' AND (CAST($1 AS TEXT) IS NULL OR connection = $1)";
    OLDEST_FINISHED = "SELECT id, connection, bytes FROM runs r WHERE state = 'finished' \
          AND (CAST($1 AS TEXT) IS NULL OR connection = $1) \
          AND NOT EXISTS (SELECT 1 FROM runs u WHERE u.undo_of = r.id AND u.state <> 'finished') \
        ORDER BY created, id LIMIT $2";
}

/// Lease time of a database that machines share.
pub(crate) const NOW: &str = "SELECT mailcordon_now()";
/// Whether the database has a schema.
pub(crate) const HAS_META_SQLITE: &str =
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'meta'";
/// The same.
pub(crate) const HAS_META_POSTGRES: &str = "SELECT CAST(1 AS BIGINT) FROM pg_catalog.pg_tables \
    WHERE schemaname = current_schema() AND tablename = 'meta'";
