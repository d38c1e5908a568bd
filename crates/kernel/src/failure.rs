//! What went wrong, in the form that a caller branches on.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The closed list of error kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The input breaks a rule; nothing was sent for this item.
    InvalidInput,
    /// The configuration breaks a rule.
    Configuration,
    /// Entra refused the sign-in, or the token.
    AuthenticationFailed,
    /// A role or grant is missing.
    PermissionDenied,
    /// The object does not exist.
    NotFound,
    /// An object of that name exists.
    AlreadyExists,
    /// The state of the object forbids it.
    Conflict,
    /// The object is not ready yet.
    NotReady,
    /// The service asks to slow down.
    Throttled,
    /// The service cannot be reached or fails.
    ServiceUnavailable,
    /// No answer in time.
    Timeout,
    /// A list that could not be proved whole, or a change that could not be settled.
    Incomplete,
    /// An answer that could not be understood.
    Protocol,
    /// Stopped on request.
    Cancelled,
    /// A defect of this program.
    Internal,
}

/// A stable error code. The list is open; each has a page in `docs/errors/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(Cow<'static, str>);

impl Code {
    /// A code by its text, which is snake case and listed in [`code::ALL`].
    pub const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What may have happened upstream when a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Happened {
    /// The request never left: nothing changed.
    NotSent,
    /// The request may have arrived: only reading back can tell.
    MaybeSent,
    /// An answer came that could not be understood: only reading back can tell.
    Unreadable,
    /// The service answered and refused: nothing changed.
    Refused,
}

/// A failed call or item, with all that a person or a program needs to act on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// What a caller branches on.
    pub kind: ErrorKind,
    /// The stable code, with a page of its own.
    pub code: Code,
    /// The service's own text where it has one, else ours.
    pub message: String,
    /// The service's or Entra's HTTP status; our own is 400, 401, 404, 502 or 504.
    pub status_code: u16,
    /// Values of the code (`role`, `mailbox`, `limit`, …).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub args: Map<String, Value>,
    /// The service's id of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What to do, where we know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What may have happened upstream.
    pub happened: Happened,
}

impl Failure {
    /// A failure before anything was sent, with status 400.
    pub fn new(kind: ErrorKind, code: Code, message: impl Into<String>) -> Self {
        Self {
            kind,
            code,
            message: message.into(),
            status_code: 400,
            args: Map::new(),
            request_id: None,
            hint: None,
            happened: Happened::NotSent,
        }
    }

    /// Bad input, refused by us.
    pub fn invalid(code: Code, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, code, message)
    }

    /// A defect of this program.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, code::INTERNAL, message).status(500)
    }

    /// With a status code.
    #[must_use]
    pub fn status(mut self, status_code: u16) -> Self {
        self.status_code = status_code;
        self
    }

    /// With a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// With a value of the code.
    #[must_use]
    pub fn arg(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.args.insert(name.to_owned(), value.into());
        self
    }

    /// With what may have happened.
    #[must_use]
    pub fn happened(mut self, happened: Happened) -> Self {
        self.happened = happened;
        self
    }

    /// Whether a change may have taken effect in spite of the failure.
    pub fn may_have_taken_effect(&self) -> bool {
        matches!(self.happened, Happened::MaybeSent | Happened::Unreadable)
    }

    /// Whether trying again later may succeed though nothing was done about the cause.
    pub fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Throttled
                | ErrorKind::ServiceUnavailable
                | ErrorKind::Timeout
                | ErrorKind::Protocol
        ) && self.code != code::CONNECTION_FAILED
    }

    /// Whether the service has refused for a cause that stays: the same request would be refused
    /// again.
    pub fn is_final_refusal(&self) -> bool {
        self.happened == Happened::Refused && !self.is_passing()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The error codes of all rooms, each with the title of its page. Each constant's page is
/// `docs/errors/<code>.md`, generated from this list: what it means, and what to do.
pub mod code {
    use super::Code;

    /// A code with the text of its page.
    #[derive(Debug, Clone, Copy)]
    pub struct Page {
        /// The code.
        pub code: &'static str,
        /// What it means, in a sentence or two.
        pub meaning: &'static str,
        /// What to do about it.
        pub remedy: &'static str,
    }

    macro_rules! codes {
        ($($name:ident = $text:literal, $meaning:literal, $remedy:literal;)*) => {
            $(#[doc = $meaning] pub const $name: Code = Code::new($text);)*
            /// Every code, in the order of its declaration.
            pub const ALL: &[Page] = &[$(Page { code: $text, meaning: $meaning, remedy: $remedy }),*];
        };
    }

    codes! {
        INTERNAL = "internal", "A defect of mailcordon itself.",
            "Report it with the output of the same command and `--log trace`; secrets are not in it.";
        EMPTY_LIST = "empty_list", "A list parameter has no value left after trimming.",
            "Give at least one value. An empty list is never taken as everything.";
        MISSING_PARAMETER = "missing_parameter", "A required parameter was not given.",
            "Give the parameter; `mailcordon commands` lists what a command needs.";
        UNKNOWN_PARAMETER = "unknown_parameter", "The command has no parameter of that name.",
            "Use the name that the message proposes, or see `mailcordon commands`.";
        UNKNOWN_VALUE = "unknown_value", "The parameter does not take that value.",
            "Use one of the values that the message lists.";
        WRONG_SHAPE = "wrong_shape", "A value has another type than the parameter takes.",
            "Give the type that the message names.";
        INVALID_DATE = "invalid_date", "A date could not be read, or could be read in two ways.",
            "Write it as `2026-01-31`, `2026-01-31 14:00` or RFC 3339; without an offset it is UTC.";
        DATE_IN_THE_PAST = "date_in_the_past", "An expiry lies in the past.",
            "Give a later date, or none for an entry that never expires.";
        DATE_OUT_OF_RANGE = "date_out_of_range", "A date lies outside what the service keeps, or the end lies before the start.",
            "Quarantine keeps 30 days; choose a window within them.";
        INVALID_SENDER = "invalid_sender", "The value is neither an address nor a domain that the block list takes.",
            "Give `user@domain.tld`, `domain.tld` or `*.domain.tld`.";
        INVALID_URL_ENTRY = "invalid_url_entry", "The value breaks the URL syntax of the Tenant Allow/Block List.",
            "Use one of the forms that the message offers; `mailcordon check entry` tries a value offline.";
        INVALID_FILE_HASH = "invalid_file_hash", "The value is not a SHA-256 in 64 hexadecimal digits.",
            "Give the SHA-256 of the file; MD5 and SHA-1 are not taken by the service.";
        INVALID_MESSAGE_ID = "invalid_message_id", "The value is not a message id.",
            "Copy the Message-ID header, with or without its angle brackets.";
        NOT_RECOVERABLE = "not_recoverable", "The mail cannot be brought back: no copy lies where one could be taken from.",
            "A hard-deleted mail and one whose retention is over do not come back; ask the sender for it, or export a copy that a hold keeps.";
        INVALID_MAILBOX = "invalid_mailbox", "The value cannot name a mailbox or a user.",
            "Give an address, user principal name, alias or GUID.";
        INVALID_IDENTITY = "invalid_identity", "The value is not an identity of the service.",
            "Copy the identity as the listing command prints it.";
        INVALID_QUERY = "invalid_query", "The KQL cannot be parsed, or matches everything.",
            "See the position that the message names; `mailcordon check kql` tries a query offline.";
        WRONG_LIST_TYPE = "wrong_list_type", "The value belongs to another list type.",
            "Use the list type that the message names.";
        TOO_BROAD = "too_broad", "The entry would block one's own domain, a public mail provider, a public suffix or a shared host.",
            "Narrow it, or say that it is meant with `allow_broad`.";
        DUPLICATE = "duplicate", "The value was given more than once.",
            "Nothing to do: it is treated once.";
        LIST_FULL = "list_full", "The tenant's list has no room left under its plan.",
            "Remove entries that are no longer needed, or move to a plan with a larger list.";
        ALLOW_IN_THE_WAY = "allow_in_the_way", "The value stands on the list under Allow.",
            "Remove the allow entry first, if it is not wanted; a block does not replace it.";
        ALREADY_EXISTS = "already_exists", "An object of that name exists.",
            "Choose another name, or use the existing object.";
        STALE_ACTION = "stale_action", "The search ran or changed after the action that bears its name.",
            "Start a new search under another name and act on that.";
        HITS_LEFT = "hits_left", "A purge takes at most ten items per mailbox, and more were found.",
            "Search again with the same query and purge that search, until nothing is left.";
        NOT_PROVEN = "not_proven", "The purge came to an end that does not prove that nothing is left.",
            "The message names every reason. Mend it and run the command again: it looks before it purges.";
        OUTSIDE_FIRST_LOOK = "outside_first_look", "A later search found items that the first look had not found.",
            "See whose mail it is. Run the command again to take it in, or with `follow` to go on by itself.";
        HELD_COPIES = "held_copies", "Purged copies stay, because a hold, a retention policy or single item recovery keeps them.",
            "Nobody but a searcher reaches them. They go when what keeps them ends.";
        UNINDEXED_ITEMS = "unindexed_items", "Items that the index cannot read: no search finds them and no purge takes them.",
            "Look for them by hand in the mailboxes of those concerned.";
        STALE_SEARCH = "stale_search", "The search's results are not up to date.",
            "Run the search again.";
        NO_HITS = "no_hits", "The search found nothing, so there is nothing to preview or purge.",
            "Check the query and the locations.";
        TOO_MANY_MAILBOXES = "too_many_mailboxes", "The search covers more mailboxes than a purge may.",
            "Split the search by mailbox list so that each covers at most 50,000 mailboxes.";
        NOT_READY = "not_ready", "The object is not in the state that the command needs.",
            "Wait for it, then run the line that the result names.";
        STILL_RUNNING = "still_running", "The service has accepted it and is still at work.",
            "Run the line that the result names, later.";
        NOT_FOUND = "not_found", "The object does not exist in the tenant.",
            "Check the spelling and the connection.";
        NOT_IN_QUARANTINE = "not_in_quarantine", "No message of that identity is in quarantine.",
            "List the quarantine again: it may have expired or been released.";
        NOT_A_RECIPIENT = "not_a_recipient", "The address is not an original recipient of the message.",
            "Name an original recipient, as the listing shows them.";
        HELD_BACK = "held_back", "Another item of the same run was refused, so this one was not attempted.",
            "Mend the item that the message names, or run the rest with `all_or_nothing` off (`--each`).";
        SENDER_NOT_ALLOWED = "sender_not_allowed", "The message was released, but the service refused to allow its sender.",
            "Allow the sender in the anti-spam policy that quarantined the message.";
        OUTCOME_UNKNOWN = "outcome_unknown", "A change was sent, its answer was lost, and reading back could not settle it.",
            "Look at the item in the tenant before you do anything else about it.";
        CHANGED_WHILE_READING = "changed_while_reading", "Rows came or went between two pages, so the list cannot be called whole.",
            "Run the list again.";
        CURSOR_LOST = "cursor_lost", "The service lost the page cursor, twice.",
            "Run the list again; narrow it if it happens again.";
        PAGE_LIMIT = "page_limit", "The list is longer than the service can page through.",
            "Narrow it, for instance by a shorter window.";
        UNPARSED_ROWS = "unparsed_rows", "Rows of a result text could not be told apart.",
            "The text is kept in raw_data.";
        SEARCH_ONLY_SESSION_REQUIRED = "search_only_session_required", "The service wants a search-only session, which this sign-in cannot give.",
            "Use the Purview portal, or PowerShell with -EnableSearchOnlySession, for this step.";
        APP_ONLY_NOT_SUPPORTED = "app_only_not_supported", "The service does not let an app without a user run this command.",
            "Give the app its grants on Microsoft Graph (docs/app-registration.md), where an app may search and purge; or use a connection that signs in a user (device_code or basic) holding the role.";
        PREVIEW_RETIRED = "preview_retired", "Microsoft has retired this preview in the cloud.",
            "Use the Purview portal to look at the hits.";
        ROLE_MISSING = "role_missing", "The account lacks a role.",
            "Assign the role named in the hint.";
        GRANT_MISSING = "grant_missing", "The app lacks a grant or a directory role.",
            "Add what the hint names, consent to it, and sign in again.";
        SIGN_IN_FAILED = "sign_in_failed", "Entra refused the sign-in.",
            "The hint says what Entra's code means.";
        WRONG_SECRET = "wrong_secret", "Entra does not know this client secret.",
            "Store the secret's value, not its id.";
        SECRET_EXPIRED = "secret_expired", "The client secret has expired.",
            "Make a new one in the app registration and store it.";
        WRONG_PASSWORD = "wrong_password", "Entra refused user name or password.",
            "Check both; several wrong tries lock the account.";
        UNKNOWN_USER = "unknown_user", "The tenant does not know this account.",
            "Check the user name and the tenant of the connection.";
        MFA_REQUIRED = "mfa_required", "The sign-in needs a second factor.",
            "A user name and a password cannot give one: use device_code, a certificate or a client secret.";
        BLOCKED_BY_POLICY = "blocked_by_policy", "Conditional Access blocks this sign-in.",
            "Ask for an exception for this app or address, or use another sign-in.";
        TOKEN_REFUSED = "token_refused", "The service refused the token.",
            "Check the app permission Exchange.ManageAsApp and its consent.";
        TENANT_NOT_FOUND = "tenant_not_found", "Entra knows no such tenant in this cloud.",
            "Check `tenant` and `cloud` of the connection.";
        ACCOUNT_UNUSABLE = "account_unusable", "Entra knows the account, but it cannot sign in as it is.",
            "The message says whether its password expired, it is locked, disabled or a guest.";
        CONSENT_MISSING = "consent_missing", "Nobody has consented to the app in this tenant.",
            "An administrator grants consent in the app registration (API permissions).";
        APP_NOT_FOUND = "app_not_found", "The tenant does not know this application.",
            "Check client_id and tenant of the connection.";
        CERTIFICATE_REFUSED = "certificate_refused", "Entra did not accept the signed assertion.",
            "Upload the certificate to the app registration; after a rotation allow it some minutes.";
        CERTIFICATE_UNUSABLE = "certificate_unusable", "The certificate or its key cannot sign.",
            "Give PEM with key and certificate, or PFX with its password; the key must be RSA and belong to the certificate.";
        SIGN_IN_EXPIRED = "sign_in_expired", "The kept sign-in is no longer valid.",
            "Sign in again; `mailcordon connection test` shows a new code.";
        DEVICE_CODE_UNUSED = "device_code_unused", "The device code was not used in time, was turned down, or could be shown to nobody.",
            "Run it again at a terminal and enter the code in time.";
        CONNECTION_LOST = "connection_lost", "The connection broke before an answer came.",
            "A read can be run again; after a change look at what it did first.";
        CONNECTION_FAILED = "connection_failed", "The service could not be reached.",
            "Check network, proxy and the host that the message names.";
        PROXY_REFUSED = "proxy_refused", "The proxy refused to connect.",
            "Check the proxy's address and credentials; NTLM and Kerberos are not supported.";
        TLS_FAILED = "tls_failed", "The server's certificate was not accepted.",
            "If a proxy inspects TLS, name its CA with `ca_file`.";
        UNTRUSTED_URL = "untrusted_url", "The answer pointed to a host that does not belong to the cloud of the connection.",
            "No token was sent there. Check proxy and DNS.";
        THROTTLED = "throttled", "The service asked to slow down for longer than a call may wait.",
            "Run the rest later.";
        SERVICE_ERROR = "service_error", "The service failed.",
            "Run it again later; name the request id to Microsoft if it stays.";
        TIMED_OUT = "timed_out", "No answer came in time.",
            "Run it again; raise `--time-limit` for long work.";
        UNREADABLE_ANSWER = "unreadable_answer", "An answer could not be understood.",
            "Its first bytes stand in the message; a proxy's own page is a common cause.";
        ANSWER_TOO_LARGE = "answer_too_large", "An answer is larger than any real one.",
            "A proxy or a stranger may have answered; check the host.";
        REFUSED = "refused", "The service refused the request.",
            "The message is the service's own.";
        NOT_OFFERED = "not_offered", "The cloud of the connection does not have this service.",
            "Use another way that the message names; a `custom` cloud names the service under `endpoints`.";
        NOT_REGISTERED = "not_registered", "Microsoft Graph knows the app's permission, and Security & Compliance does not know the app; or the eDiscovery case belongs to somebody else.",
            "In Security & Compliance PowerShell run once: `New-ServicePrincipal -AppId <client id> -ObjectId <object id of the enterprise application>`, `Add-RoleGroupMember -Identity eDiscoveryManager -Member <object id>`, and to see cases of others `Add-eDiscoveryCaseAdmin -User <object id>`. The object id is that of the enterprise application, not of the app registration.";
        NOT_PROVISIONED = "not_provisioned", "eDiscovery is not set up for this tenant.",
            "Open the Purview portal once and see that eDiscovery starts there; then try again after an hour.";
        GATEWAY_REFUSED = "gateway_refused", "A gateway in front of Microsoft Graph refused the request with a page of its own; Graph never saw it.",
            "Run it again. If it stays, this route may be open to signed-in users only: use a connection that signs in a user.";
        SOURCE_REQUIRED = "source_required", "The search names no place to look in.",
            "Name mailboxes, or search all of them.";
        OPERATION_FAILED = "operation_failed", "The service accepted the work and it failed.",
            "The message is the service's own. Look at the search before anything is tried again.";
        DOWNLOAD_REFUSED = "download_refused", "A report could not be fetched: the token for it is missing, or not accepted.",
            "Grant the app `eDiscovery.Download.Read` of `MicrosoftPurviewEDiscovery` (b26e684c-5068-4120-a679-64a5d2c909d9) with admin consent; where the tenant lacks that enterprise application, create it first (`POST /servicePrincipals` with its appId).";
        CASE_CLOSED = "case_closed", "The eDiscovery case is closed.",
            "Reopen it in the Purview portal, or name another with `graph_case` of the connection.";
        SEARCH_CHANGED = "search_changed", "The search was edited between the look at it and the purge, or between the purge and its undo.",
            "The message says what differs. Look at the search again before anything is purged or brought back.";
        AMBIGUOUS_NAME = "ambiguous_name", "Several objects bear that name, and nothing tells which is meant.",
            "Rename or delete all but one in the Purview portal, or use a new name.";
        WRONG_ORGANIZATION = "wrong_organization", "Compliance wants the tenant's initial onmicrosoft.com domain.",
            "Set `organization` of the connection to it.";
        CONFIGURATION = "configuration", "The configuration breaks a rule.",
            "The message names the place and the rule.";
        PLAIN_TEXT_SECRET = "plain_text_secret", "A secret stands in the configuration in plain text.",
            "Name a source instead: `env:NAME`, `file:PATH` or `{ exec = [\"program\", \"argument\"] }`.";
        SECRET_SOURCE = "secret_source", "A secret could not be read from its source.",
            "The message names the source and what is wrong with it.";
        UNKNOWN_CONNECTION = "unknown_connection", "No connection of that name is configured.",
            "See `mailcordon connection list`.";
        UNKNOWN_COMMAND = "unknown_command", "There is no such command.",
            "See `mailcordon commands`.";
        INPUT_TOO_LARGE = "input_too_large", "The input is larger or deeper than any real one.",
            "Split it.";
        CANCELLED = "cancelled", "The run was stopped on request.",
            "What was done is in the result; run the rest again.";
        OUTPUT_LOST = "output_lost", "Standard output did not take all that was written to it.",
            "Make room on the disk or look at what the output goes to; what was done in the tenant stands.";
        NOT_CONFIRMED = "not_confirmed", "A destructive command was not confirmed.",
            "Answer the question, or give `--yes` where there is no terminal.";
        EXPECTATION = "expectation", "The search is not what `--expect-query` or `--expect-at-most` said.",
            "Look at the search again before you purge.";
        NOT_REVERSIBLE = "not_reversible", "What the run did cannot be taken back.",
            "The result names what was done; some of it may be changed by hand.";
        CHANGED_SINCE = "changed_since", "Somebody changed the item after the run, so the undo left it alone.",
            "Look at the item in the tenant and decide by hand.";
        ALREADY_UNDONE = "already_undone", "The run was taken back before.",
            "The message names the run that did it.";
        PLAN_CHANGED = "plan_changed", "The tenant is not as it was in the dry run whose plan hash was given.",
            "`difference` says item by item what it was then and is now; make a new dry run, look at it, and give its hash.";
        PLAN_HASH_REQUIRED = "plan_hash_required", "A destructive command needs the hash of a dry run.",
            "Make a dry run, look at it, and give its `plan_hash`; or use a token that waives it.";
        FROZEN = "frozen", "An administrator has frozen all changes.",
            "Wait until the freeze is lifted; what was under way has said how far it came.";
        IDEMPOTENCY_CONFLICT = "idempotency_conflict", "The idempotency key was used before with other input.",
            "Use a fresh key for each new request, and the same key only to repeat one.";
        RECORDING_FAILED = "recording_failed", "The run could not be recorded, so nothing more was sent.",
            "Free the disk or mend the database; a local run can go on without a record with `--no-record`.";
        UNKNOWN_VERSION = "unknown_version", "Something stored has a version that this program does not know.",
            "Run the newer program that wrote it; the run is parked and nothing was lost.";
        UNKNOWN_RUN = "unknown_run", "No run of that id is recorded.",
            "See `mailcordon runs list`; retention may have removed it.";
        RUN_OVER = "run_over", "The run is over, so it cannot be cancelled.",
            "Undo it, if it is reversible.";
        RUN_NOT_OVER = "run_not_over", "The run is not over yet.",
            "Wait for its end, or cancel it.";
        RUN_INTERRUPTED = "run_interrupted", "The program that drove the run ended before the run did.",
            "`mailcordon runs resume` looks at what was done and goes on.";
        NEWER_SCHEMA = "newer_schema", "The database was made by a newer program.",
            "Run that program; this one changes nothing in it.";
        DAMAGED_STORE = "damaged_store", "The database is damaged.",
            "Stop, keep the files, and restore a backup.";
        STORE_IN_USE = "store_in_use", "Another `serve` uses the data folder.",
            "Stop it, or name another folder with `--data`.";
        STORE_UNAVAILABLE = "store_unavailable", "The database cannot be written or read just now.",
            "See the message: a full or read-only disk, or a database that cannot be reached.";
        AUDIT_BROKEN = "audit_broken", "The audit chain does not hold.",
            "The message names the chain and the entry; keep the database and the checkpoint file as evidence.";
        TOKEN_REQUIRED = "token_required", "The request bears no valid token.",
            "Send `Authorization: Bearer …` with a token of `mailcordon token create` that has not ended.";
        TOKEN_FORBIDS = "token_forbids", "The token does not grant this.",
            "The message names the missing scope, command or connection.";
        CAP_REACHED = "cap_reached", "The token's cap on items, mailboxes or runs is reached.",
            "Split the work, wait, or use a token with a higher cap.";
        RATE_LIMITED = "rate_limited", "Too many requests with this token.",
            "Wait as long as `Retry-After` says.";
        UNKNOWN_ROUTE = "unknown_route", "The service has no such resource, or not with that method.",
            "See `/api/v1/openapi.json`.";
        BAD_REQUEST = "bad_request", "The request cannot be understood.",
            "The message names the member and the rule.";
        BAD_CURSOR = "bad_cursor", "The cursor does not belong to this list.",
            "Start again without a cursor.";
        COMPRESSED_BODY = "compressed_body", "Compressed request bodies are not taken.",
            "Send the body as it is.";
        NOT_ACCEPTED = "not_accepted", "The service did not accept the request or answered in an unknown form.",
            "Check that the URL is that of a mailcordon service of this version.";
        BROKEN_MAIL = "broken_mail", "A mail could not be read in full.",
            "What was readable is in the output; the problem names the rest.";
    }

    impl Code {
        /// The page of this code, if it is listed.
        pub fn page(&self) -> Option<&'static Page> {
            ALL.iter().find(|page| page.code == self.as_str())
        }
    }
}
