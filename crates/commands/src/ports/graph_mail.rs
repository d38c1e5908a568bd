//! Soft-deleted mail over Microsoft Graph: in the mailbox itself where that is open to the
//! connection, else through Defender.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use cloud::{Cloud, GraphFeature};
use graph::{
    Audience, CallError, CloudWire, Graph, Reason,
    defender::{AnalyzedEmail, FindAnalyzed, Remediate, Remedy},
    mail::{FindInFolder, FindMessages, Folder, Message, MoveMessage},
};
use jiff::SignedDuration;
use kernel::{Clock, ErrorKind, Failure, escape, failure::code};

use super::deleted_mail::{Copies, DeletedMail, MailCopy, MailStanding, Place, Way};

/// How far back Defender knows delivered mail.
const DEFENDER_KNOWS: SignedDuration = SignedDuration::from_hours(30 * 24);

const MAIL: &str = "Mail.ReadWrite";
const REMEDIATE: &str = "SecurityAnalyzedMessage.ReadWrite.All";
const ANALYZED: &str = "SecurityAnalyzedMessage.Read.All";

/// What to do about a mailbox that is not there.
const NO_MAILBOX: &str = "check the address: no mailbox of this tenant has it";

/// Deleted mail over Graph, for one run.
pub struct GraphMail {
    graph: Graph,
    clock: Arc<dyn Clock>,
    /// Whether the cloud has Defender's view of delivered mail.
    defender: bool,
    /// By mailbox in lower case.
    ways: Mutex<HashMap<String, Way>>,
}

impl GraphMail {
    /// Over this client.
    pub fn new(graph: Graph, clock: Arc<dyn Clock>, defender: bool) -> Self {
        Self {
            graph,
            clock,
            defender,
            ways: Mutex::default(),
        }
    }

    /// Over a connection, if it has Graph.
    pub fn over(cloud: &Arc<Cloud>, options: graph::Options) -> Option<Self> {
        let wire = CloudWire::new(Arc::clone(cloud));
        graph::Wire::base(&wire).ok()?;
        let defender = wire.offers(GraphFeature::AnalyzedEmails);
        let clock = Arc::clone(&options.clock);
        let graph = Graph::new(Arc::new(wire), options);
        Some(Self::new(graph, clock, defender))
    }

    /// The same for another run: what was decided in this one is not known there.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::new(self.graph.clone(), Arc::clone(&self.clock), self.defender)
    }

    fn decide(&self, mailbox: &str, way: Way) {
        let mut ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.insert(mailbox.to_lowercase(), way);
    }

    async fn in_mailbox(&self, mailbox: &str, id: &str) -> Result<Vec<MailCopy>, CallError> {
        let in_folder = |folder| FindInFolder {
            mailbox: mailbox.to_owned(),
            folder,
            message_id: id.to_owned(),
        };
        let deletions = in_folder(Folder::RecoverableDeletions);
        let deleted = self.graph.all(&deletions).await?;
        let seen = FindMessages {
            mailbox: mailbox.to_owned(),
            message_id: id.to_owned(),
        };
        let seen = self.graph.all(&seen).await?;
        // Folders have ids of the mailbox's own; which one is the Inbox only asking tells.
        let inbox = if seen.is_empty() {
            Vec::new()
        } else {
            self.graph.all(&in_folder(Folder::Inbox)).await?
        };
        let in_inbox = |one: &Message| inbox.iter().any(|other| other.id == one.id);
        let seen = seen.into_iter().map(|one| {
            let place = if in_inbox(&one) {
                Place::Inbox
            } else {
                Place::Folder
            };
            copy(one, place)
        });
        let deleted = deleted.into_iter().map(|one| copy(one, Place::Deletions));
        Ok(deleted.chain(seen).collect())
    }

    /// What Defender knows of a copy that was delivered there.
    async fn in_defender(&self, mailbox: &str, id: &str) -> Result<Vec<MailCopy>, Failure> {
        if !self.defender {
            return Err(Failure::new(
                ErrorKind::Configuration,
                code::NOT_OFFERED,
                "Defender's view of delivered mail is not in this cloud",
            ));
        }
        let now = self.clock.now();
        let mut find = FindAnalyzed {
            from: now.checked_sub(DEFENDER_KNOWS).unwrap_or(now),
            to: now,
            network_message_id: None,
            recipient: Some(mailbox.to_owned()),
            filtered: true,
        };
        let mut found = self.graph.all(&find).await;
        if found.as_ref().is_err_and(is_bad_request) {
            find.filtered = false;
            found = self.graph.all(&find).await;
        }
        let bare = |text: &str| text.trim_matches(['<', '>']).to_owned();
        let is_it = |one: &AnalyzedEmail| one.message_id.as_deref().map(bare) == Some(bare(id));
        Ok(found?.into_iter().filter(is_it).map(delivered).collect())
    }

    async fn may_ask_defender(&self) -> bool {
        let bearer = self.graph.sign_in(Audience::Graph).await;
        self.defender
            && bearer.is_ok_and(|bearer| {
                [ANALYZED, REMEDIATE]
                    .iter()
                    .any(|one| bearer.holds(one) == Some(true))
            })
    }
}

fn copy(message: Message, place: Place) -> MailCopy {
    MailCopy {
        id: message.id,
        place,
        subject: message.subject,
        from: message.from,
        received_at: message.received_at,
    }
}

fn delivered(mail: AnalyzedEmail) -> MailCopy {
    let place = match mail.location.as_str() {
        "inbox_folder" => Place::Inbox,
        "junkFolder" => Place::Folder,
        "deletedFolder" => Place::Deleted,
        "quarantine" => Place::Quarantine,
        _ => Place::Other(mail.location),
    };
    MailCopy {
        id: mail.network_message_id,
        place,
        subject: mail.subject,
        from: mail.from,
        received_at: mail.logged_at,
    }
}

fn is_bad_request(error: &CallError) -> bool {
    matches!(error, CallError::Refused(refusal) if refusal.status == 400)
}

/// Whether the mailbox is closed to this connection, or keeps the folder of deletions from it:
/// another way may be open.
fn is_closed(error: &CallError) -> bool {
    let CallError::Refused(refusal) = error else {
        return false;
    };
    let code = refusal.failure.args.get("graph_code");
    let no_folder = code.is_some_and(|code| code == "ErrorFolderNotFound");
    refusal.reason == Reason::Forbidden || no_folder
}

/// Neither way is open: the refusal of the mailbox, with what Defender lacks.
fn neither(mailbox: Failure, defender: &Failure) -> Failure {
    let lacks = escape::clipped(&defender.message, 300);
    let lacks = match &defender.hint {
        Some(hint) => format!("{}. {hint}", lacks.trim_end_matches('.')),
        None => lacks,
    };
    let hint = match &mailbox.hint {
        Some(hint) => format!("{hint}. Or through Defender: {lacks}"),
        None => format!("Or through Defender: {lacks}"),
    };
    mailbox
        .arg("defender_code", defender.code.as_str())
        .hint(hint)
}

#[async_trait]
impl DeletedMail for GraphMail {
    async fn find(&self, mailbox: &str, message_id: &str) -> Result<Copies, Failure> {
        if self.way(mailbox) == Some(Way::Defender) {
            return Ok(Copies {
                way: Way::Defender,
                copies: self.in_defender(mailbox, message_id).await?,
                last_seen: None,
            });
        }
        match self.in_mailbox(mailbox, message_id).await {
            Ok(copies) => {
                self.decide(mailbox, Way::Mailbox);
                let mut last_seen = None;
                if copies.is_empty() && self.may_ask_defender().await {
                    // It only says more about a copy that is gone.
                    let known = self.in_defender(mailbox, message_id).await;
                    last_seen = known.ok().and_then(|known| known.into_iter().next());
                }
                Ok(Copies {
                    way: Way::Mailbox,
                    copies,
                    last_seen,
                })
            }
            Err(error) if is_closed(&error) => {
                let copies = self.in_defender(mailbox, message_id).await;
                let copies = copies.map_err(|defender| match defender.kind {
                    ErrorKind::PermissionDenied | ErrorKind::Configuration => {
                        neither(error.failure(), &defender)
                    }
                    _ => defender,
                })?;
                self.decide(mailbox, Way::Defender);
                Ok(Copies {
                    way: Way::Defender,
                    copies,
                    last_seen: None,
                })
            }
            Err(error) => {
                let failure = Failure::from(error);
                Err(match failure.kind {
                    ErrorKind::NotFound => failure.hint(NO_MAILBOX),
                    _ => failure,
                })
            }
        }
    }

    async fn bring_back(&self, way: Way, mailbox: &str, id: &str) -> Result<(), Failure> {
        match way {
            Way::Mailbox => {
                let go = MoveMessage {
                    mailbox: mailbox.to_owned(),
                    id: id.to_owned(),
                    folder: Folder::Inbox,
                };
                self.graph.send(&go).await?;
            }
            Way::Defender => {
                let go = Remediate {
                    name: "Restore soft-deleted mail".to_owned(),
                    description: "Moves a copy back to the Inbox of its recipient".to_owned(),
                    remedy: Remedy::Inbox,
                    copies: vec![(id.to_owned(), mailbox.to_owned())],
                };
                self.graph.send(&go).await?;
            }
        }
        Ok(())
    }

    fn way(&self, mailbox: &str) -> Option<Way> {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        ways.get(&mailbox.to_lowercase()).copied()
    }

    fn path(&self) -> (&'static str, &'static str) {
        let ways = self.ways.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ways = ways.values();
        match ways.next() {
            None => (Way::Mailbox.path(), "no mailbox was reached"),
            Some(first) if ways.all(|way| way == first) => (first.path(), first.why()),
            Some(_) => (
                "mixed",
                "the mailboxes are reached in different ways: each item says which, and why",
            ),
        }
    }

    async fn standing(&self) -> Option<MailStanding> {
        let bearer = self.graph.sign_in(Audience::Graph).await;
        let holds = |permission: &'static str, kind: &str| match &bearer {
            Err(failure) => Err(failure.clone()),
            Ok(bearer) if bearer.holds(permission) == Some(false) => Err(lacking(permission, kind)),
            Ok(_) => Ok(()),
        };
        let app = bearer.as_ref().is_ok_and(|bearer| bearer.app_only);
        // No user may ask Defender, whatever stands in the token.
        let defender = if self.defender && (app || bearer.is_err()) {
            holds(REMEDIATE, "application")
        } else {
            Err(lacking(REMEDIATE, "application"))
        };
        let kind = if app { "application" } else { "delegated" };
        Some(MailStanding {
            app_only: app,
            mailboxes: holds(MAIL, kind),
            defender,
        })
    }

    fn is_simulated(&self) -> bool {
        self.graph.is_simulated()
    }
}

fn lacking(permission: &str, kind: &str) -> Failure {
    Failure::new(
        ErrorKind::PermissionDenied,
        code::GRANT_MISSING,
        format!("The token for Microsoft Graph holds no {permission}"),
    )
    .status(403)
    .arg("permission", permission)
    .hint(format!(
        "In Entra, under API permissions of the app registration, add the {kind} permission {permission} of Microsoft Graph and grant admin consent"
    ))
}
