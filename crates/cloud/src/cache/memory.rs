//! One token in memory, and one sign-in at a time.

use std::sync::{PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::{Mutex, MutexGuard};

use crate::{error::SignInError, token::Token};

/// The token of one tenant, client and scope.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    token: RwLock<Option<Token>>,
    attempts: Mutex<Attempts>,
    /// How many sign-ins have ended, readable without waiting for the one under way.
    ended: std::sync::atomic::AtomicU64,
}

#[derive(Debug, Default)]
pub(crate) struct Attempts {
    failure: Option<SignInError>,
}

/// The right to sign in, or what somebody else's sign-in came to while we waited.
pub(crate) enum Turn<'a> {
    Ours(MutexGuard<'a, Attempts>),
    Failed(SignInError),
}

impl Slot {
    /// The token, unless it is in its last two minutes.
    pub fn fresh(&self, now: Timestamp) -> Option<Token> {
        self.token
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .as_ref()
            .filter(|token| token.is_fresh(now))
            .cloned()
    }

    /// Waits for the turn to sign in. Who waited through a sign-in that failed gets its failure:
    /// eight callers with a wrong password must not lock an account by asking eight times.
    pub async fn turn(&self) -> Turn<'_> {
        use std::sync::atomic::Ordering;
        let before = self.ended.load(Ordering::Acquire);
        let guard = self.attempts.lock().await;
        if self.ended.load(Ordering::Acquire) != before
            && let Some(failure) = guard.failure.clone()
        {
            return Turn::Failed(failure);
        }
        Turn::Ours(guard)
    }

    /// Keeps what a sign-in came to.
    pub fn settle(&self, turn: &mut Attempts, outcome: &Result<Token, SignInError>) {
        match outcome {
            Ok(token) => {
                self.keep(token.clone());
                turn.failure = None;
            }
            Err(error) => {
                *self.token.write().unwrap_or_else(PoisonError::into_inner) = None;
                turn.failure = Some(error.clone());
            }
        }
        self.ended.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
    }

    /// Keeps a token that was found sealed.
    pub fn keep(&self, token: Token) {
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = Some(token);
    }
}
