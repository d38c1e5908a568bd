//! Secrets come from sources that are read when needed, and no more often than needed.

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use kernel::Secret;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::error::SecretError;

/// Where a secret comes from: a variable, a file, a command.
#[async_trait]
pub trait SecretSource: fmt::Debug + Send + Sync {
    /// Reads it as text.
    async fn read(&self) -> Result<Secret, SecretError>;

    /// Reads it as bytes, for a PFX file; the text's bytes unless the source knows better.
    async fn read_bytes(&self) -> Result<Zeroizing<Vec<u8>>, SecretError> {
        Ok(Zeroizing::new(
            self.read().await?.expose().as_bytes().to_vec(),
        ))
    }

    /// The source in words, without the secret: `env:NAME`, `file:PATH`.
    fn describe(&self) -> String;
}

/// A secret that is already there: a variable's value that the binary read, or a test's.
#[derive(Debug, Clone)]
pub struct StaticSecret {
    name: String,
    value: Secret,
}

impl StaticSecret {
    /// A secret without a source to name.
    pub fn new(value: impl Into<String>) -> Self {
        Self::named("a fixed value", value)
    }

    /// A secret with the words that describe its source.
    pub fn named(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Secret::new(value),
        }
    }
}

#[async_trait]
impl SecretSource for StaticSecret {
    async fn read(&self) -> Result<Secret, SecretError> {
        Ok(self.value.clone())
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

/// A secret as bytes, with the number of the reading it came from.
#[derive(Clone)]
pub(crate) struct Reading {
    number: u64,
    bytes: Arc<Zeroizing<Vec<u8>>>,
}

impl Reading {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// As text, without a line break at the end (what an editor or `echo` leaves in a file).
    pub fn text(&self, source: &str) -> Result<Secret, SecretError> {
        let text = std::str::from_utf8(&self.bytes)
            .map_err(|_| SecretError::new(source, "it is not UTF-8 text"))?
            .trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(SecretError::new(source, "it is empty"));
        }
        Ok(Secret::new(text))
    }
}

/// A source whose value is read once for everybody who holds a clone, and once more when the
/// value turned out to be wrong.
#[derive(Clone)]
pub struct SharedSecret {
    source: Arc<dyn SecretSource>,
    last: Arc<Mutex<Option<Reading>>>,
}

impl SharedSecret {
    /// Shares a source.
    pub fn new(source: Arc<dyn SecretSource>) -> Self {
        Self {
            source,
            last: Arc::new(Mutex::new(None)),
        }
    }

    /// The source in words.
    pub fn describe(&self) -> String {
        self.source.describe()
    }

    /// The value, read now unless somebody did before.
    pub(crate) async fn get(&self) -> Result<Reading, SecretError> {
        let mut last = self.last.lock().await;
        if let Some(reading) = last.as_ref() {
            return Ok(reading.clone());
        }
        let reading = Reading {
            number: 1,
            bytes: Arc::new(self.source.read_bytes().await?),
        };
        *last = Some(reading.clone());
        Ok(reading)
    }

    /// The value after `wrong` was refused: read again unless somebody did since. `None` when the
    /// source still says the same.
    pub(crate) async fn after(&self, wrong: &Reading) -> Result<Option<Reading>, SecretError> {
        let mut last = self.last.lock().await;
        if let Some(newer) = last
            .as_ref()
            .filter(|reading| reading.number > wrong.number)
        {
            return Ok((newer.bytes() != wrong.bytes()).then(|| newer.clone()));
        }
        let bytes = Arc::new(self.source.read_bytes().await?);
        let reading = Reading {
            number: wrong.number + 1,
            bytes,
        };
        *last = Some(reading.clone());
        Ok((reading.bytes() != wrong.bytes()).then_some(reading))
    }

    /// The value read now, kept nowhere.
    pub(crate) async fn fresh(&self) -> Result<Reading, SecretError> {
        Ok(Reading {
            number: 0,
            bytes: Arc::new(self.source.read_bytes().await?),
        })
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedSecret({})", self.source.describe())
    }
}

impl From<Arc<dyn SecretSource>> for SharedSecret {
    fn from(source: Arc<dyn SecretSource>) -> Self {
        Self::new(source)
    }
}

impl<S: SecretSource + 'static> From<S> for SharedSecret {
    fn from(source: S) -> Self {
        Self::new(Arc::new(source))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug, Default)]
    struct Counting(AtomicUsize, bool);

    #[async_trait]
    impl SecretSource for Counting {
        async fn read(&self) -> Result<Secret, SecretError> {
            let n = self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Secret::new(if self.1 {
                format!("v{n}")
            } else {
                "same".to_owned()
            }))
        }

        fn describe(&self) -> String {
            "a counter".to_owned()
        }
    }

    #[tokio::test]
    async fn clones_share_one_reading_and_one_second_look() {
        let source = Arc::new(Counting(AtomicUsize::new(0), true));
        let one = SharedSecret::new(source.clone());
        let two = one.clone();
        let first = one.get().await.unwrap();
        assert_eq!(two.get().await.unwrap().bytes(), b"v0");
        assert_eq!(one.after(&first).await.unwrap().unwrap().bytes(), b"v1");
        assert_eq!(two.after(&first).await.unwrap().unwrap().bytes(), b"v1");
        assert_eq!(source.0.load(Ordering::SeqCst), 2);
        assert_eq!(two.fresh().await.unwrap().bytes(), b"v2");
        assert_eq!(two.get().await.unwrap().bytes(), b"v1");
    }

    #[tokio::test]
    async fn a_source_that_says_the_same_gives_no_second_try() {
        let secret = SharedSecret::from(Counting::default());
        let first = secret.get().await.unwrap();
        assert!(secret.after(&first).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn text_loses_only_its_line_end_and_must_not_be_empty() {
        let read = |text: &'static str| async move {
            SharedSecret::from(StaticSecret::new(text))
                .get()
                .await
                .unwrap()
                .text("x")
        };
        assert_eq!(read(" a b \r\n").await.unwrap().expose(), " a b ");
        assert!(read("\n").await.unwrap_err().reason.contains("empty"));
        let shown = format!(
            "{:?}",
            SharedSecret::from(StaticSecret::named("env:X", "hunter2"))
        );
        assert_eq!(shown, "SharedSecret(env:X)");
    }
}
