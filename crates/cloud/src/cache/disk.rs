//! Sealed tokens on disk, so that a one-shot run needs no sign-in while the last token lives.
//!
//! A file is AES-256-GCM under a key derived (HKDF-SHA256) from the credential itself, with
//! authority, tenant, client and scope bound in. Whoever has the file and not the credential has
//! nothing; whoever has the credential does not need the file. What cannot be opened is ignored.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
    hkdf::{HKDF_SHA256, Salt},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::Timestamp;
use kernel::{Random, Secret, escape};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{files, token::Token};

/// First bytes of a file; another version begins with others and is ignored.
const MAGIC: &[u8] = b"mailcordon-token-1\n";
const SALT: &[u8] = b"mailcordon sealed token, version 1";

/// The folder for sealed tokens, or none.
#[derive(Debug, Clone, Default)]
pub struct TokenDir {
    path: Option<PathBuf>,
    said: Arc<AtomicBool>,
}

impl TokenDir {
    /// No folder: tokens stay in memory.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// This folder, made with mode 0700 when it does not exist. One that others may read, or that
    /// is a link or belongs to somebody else, is not used; that is said once in the log.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: Some(path.into()),
            said: Arc::default(),
        }
    }

    /// The first private folder of: `mailcordon` in the user's runtime directory, one of our own
    /// under the temporary directory. The second value says why there is none, to be shown once.
    pub fn choose(runtime: Option<&Path>, temporary: &Path) -> (Self, Option<String>) {
        let mut reasons = Vec::new();
        let own = temporary.join(format!("mailcordon-{}", user()));
        for path in runtime
            .map(|runtime| runtime.join("mailcordon"))
            .into_iter()
            .chain([own])
        {
            match files::private_folder(&path) {
                Ok(()) => return (Self::at(path), None),
                Err(reason) => {
                    reasons.push(format!(
                        "{}: {reason}",
                        escape::line(&path.display().to_string())
                    ));
                }
            }
        }
        let note = format!("Tokens are not kept between runs ({})", reasons.join("; "));
        (Self::nowhere(), Some(note))
    }

    /// The folder, where there is one.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    fn say(&self, reason: &str) {
        if !self.said.swap(true, Ordering::Relaxed) {
            let path = self
                .path
                .as_deref()
                .unwrap_or_else(|| Path::new(""))
                .display()
                .to_string();
            tracing::warn!("tokens are not kept in {}: {reason}", escape::line(&path));
        }
    }
}

#[cfg(unix)]
fn user() -> String {
    rustix::process::geteuid().as_raw().to_string()
}

#[cfg(not(unix))]
fn user() -> String {
    "tokens".to_owned()
}

/// What a token is for. All of it is bound into the seal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Label<'a> {
    pub authority: &'a str,
    pub tenant: &'a str,
    pub client_id: &'a str,
    pub scope: &'a str,
}

impl Label<'_> {
    /// The parts with their lengths, so that no two labels give the same bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in [self.authority, self.tenant, self.client_id, self.scope] {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

#[derive(Serialize, Deserialize)]
struct Content<'a> {
    token: std::borrow::Cow<'a, str>,
    expires_at: i64,
}

/// The place of one sealed token.
pub(crate) struct Sealed {
    dir: TokenDir,
    file: PathBuf,
    key: LessSafeKey,
    label: Vec<u8>,
}

impl Sealed {
    /// The place for a label under a credential; `None` without a folder.
    pub fn new(dir: &TokenDir, credential: &[u8], label: Label<'_>) -> Option<Self> {
        let folder = dir.path.as_ref()?;
        let label = label.bytes();
        let prk = Salt::new(HKDF_SHA256, SALT).extract(credential);
        let mut key = Zeroizing::new([0; 32]);
        prk.expand(&[&label], HKDF_SHA256)
            .ok()?
            .fill(&mut *key)
            .ok()?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &*key).ok()?);
        let hash = digest::digest(&digest::SHA256, &label);
        let name = URL_SAFE_NO_PAD.encode(hash);
        let file = folder.join(format!("{name}.token"));
        Some(Self {
            dir: dir.clone(),
            file,
            key,
            label,
        })
    }

    /// The token, if a whole one lies here that this credential opens.
    pub fn load(&self) -> Option<Token> {
        if let Err(reason) = files::private_folder(self.dir.path()?) {
            self.dir.say(&reason);
            return None;
        }
        let bytes = match files::read_private(&self.file) {
            Ok(bytes) => Zeroizing::new(bytes?),
            Err(reason) => {
                tracing::debug!("a kept token is ignored: {reason}");
                return None;
            }
        };
        let rest = bytes.strip_prefix(MAGIC)?;
        let (nonce, sealed) = rest.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let Ok(plain) = self
            .key
            .open_in_place(nonce, Aad::from(&self.label), &mut sealed)
        else {
            tracing::debug!("a kept token is ignored: this credential does not open it");
            return None;
        };
        let content: Content<'_> = serde_json::from_slice(plain).ok()?;
        let expires_at = Timestamp::from_second(content.expires_at).ok()?;
        Some(Token::new(Secret::new(content.token), expires_at))
    }

    /// Keeps a token. That it cannot be kept is said once and is no error.
    pub fn save(&self, token: &Token, random: &dyn Random) {
        if let Err(reason) = self.try_save(token, random) {
            self.dir.say(&reason);
        }
    }

    fn try_save(&self, token: &Token, random: &dyn Random) -> Result<(), String> {
        let folder = self
            .dir
            .path()
            .ok_or_else(|| "there is no folder".to_owned())?;
        files::private_folder(folder)?;
        let content = Content {
            token: token.secret.expose().into(),
            expires_at: token.expires_at.as_second(),
        };
        let mut sealed =
            Zeroizing::new(serde_json::to_vec(&content).map_err(|error| error.to_string())?);
        let mut nonce = [0; NONCE_LEN];
        random.fill(&mut nonce);
        self.key
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&self.label),
                &mut *sealed,
            )
            .map_err(|_| "sealing failed".to_owned())?;
        let bytes = [MAGIC, &nonce, &sealed].concat();
        files::write_private(&self.file, &bytes, random.next_u64())
    }
}

#[cfg(test)]
mod tests {
    use kernel::{SeededRandom, SystemRandom};

    use super::*;

    /// A folder of this test alone, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("cloud-disk-{}", SystemRandom.uuid()));
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    fn label<'a>(tenant: &'a str, scope: &'a str) -> Label<'a> {
        Label {
            authority: "https://login.example",
            tenant,
            client_id: "c",
            scope,
        }
    }

    fn token() -> Token {
        Token::new(
            Secret::new("the-token-itself"),
            Timestamp::from_second(1_900_000_000).unwrap(),
        )
    }

    fn text(sealed: &Sealed) -> Option<String> {
        sealed.load().map(|token| token.secret.expose().to_owned())
    }

    #[test]
    fn only_the_credential_and_the_label_it_was_sealed_for_open_it() {
        let folder = Folder::new();
        let dir = TokenDir::at(&folder.0);
        let place = Sealed::new(&dir, b"credential", label("t", "s")).unwrap();
        assert!(place.load().is_none());
        place.save(&token(), &SeededRandom::new(1));
        assert_eq!(text(&place).as_deref(), Some("the-token-itself"));
        assert_eq!(place.load().unwrap().expires_at, token().expires_at);
        let other = Sealed::new(&dir, b"credentiaL", label("t", "s")).unwrap();
        assert_eq!(other.file, place.file);
        assert_eq!(text(&other), None);
        let bytes = std::fs::read(&place.file).unwrap();
        assert!(!bytes.windows(9).any(|window| window == b"the-token"));
        // The same bytes under another label's name are foreign there.
        let elsewhere = Sealed::new(&dir, b"credential", label("t2", "s")).unwrap();
        assert_ne!(elsewhere.file, place.file);
        std::fs::copy(&place.file, &elsewhere.file).unwrap();
        assert_eq!(text(&elsewhere), None);
    }

    #[test]
    fn what_is_broken_is_ignored_and_replaced() {
        let folder = Folder::new();
        let place = Sealed::new(&TokenDir::at(&folder.0), b"credential", label("t", "s")).unwrap();
        place.save(&token(), &SeededRandom::new(1));
        let good = std::fs::read(&place.file).unwrap();
        for at in [0, MAGIC.len() + 2, good.len() - 1] {
            let mut bad = good.clone();
            bad[at] ^= 1;
            std::fs::write(&place.file, bad).unwrap();
            assert_eq!(text(&place), None, "byte {at}");
        }
        for length in [0, 5, MAGIC.len(), MAGIC.len() + 5, good.len() - 1] {
            std::fs::write(&place.file, &good[..length]).unwrap();
            assert_eq!(text(&place), None, "length {length}");
        }
        place.save(&token(), &SeededRandom::new(2));
        assert!(text(&place).is_some());
        assert_eq!(
            std::fs::read_dir(&folder.0).unwrap().count(),
            1,
            "nothing is left behind"
        );
    }

    #[cfg(unix)]
    #[test]
    fn others_must_not_see_it() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = Folder::new();
        let place = Sealed::new(&TokenDir::at(&folder.0), b"credential", label("t", "s")).unwrap();
        place.save(&token(), &SeededRandom::new(1));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder.0), mode(&place.file)), (0o700, 0o600));
        let chmod = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        chmod(&place.file, 0o644);
        assert_eq!(text(&place), None, "a readable file is not trusted");
        chmod(&place.file, 0o600);
        chmod(&folder.0, 0o755);
        assert_eq!(text(&place), None, "a readable folder is not used");
        chmod(&folder.0, 0o700);
        let link = Folder::new();
        symlink(&folder.0, &link.0).unwrap();
        let through = Sealed::new(&TokenDir::at(&link.0), b"credential", label("t", "s")).unwrap();
        assert_eq!(text(&through), None, "a link is not followed");
        std::fs::remove_file(&link.0).unwrap();
        assert!(text(&place).is_some());
    }

    #[cfg(unix)]
    #[test]
    fn the_first_private_folder_is_chosen_or_the_reason_said() {
        let runtime = Folder::new();
        std::fs::create_dir(&runtime.0).unwrap();
        let temporary = Folder::new();
        std::fs::create_dir(&temporary.0).unwrap();
        let (dir, note) = TokenDir::choose(Some(&runtime.0), &temporary.0);
        assert_eq!(
            (dir.path(), note),
            (Some(runtime.0.join("mailcordon").as_path()), None)
        );
        let (dir, note) = TokenDir::choose(Some(Path::new("/nonexistent")), &temporary.0);
        assert!(dir.path().unwrap().starts_with(&temporary.0) && note.is_none());
        let (dir, note) = TokenDir::choose(None, Path::new("/nonexistent"));
        assert!(dir.path().is_none() && note.unwrap().contains("not kept"));
    }
}
