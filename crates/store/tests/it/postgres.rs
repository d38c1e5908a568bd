//! A PostgreSQL server for the tests: one that the environment names, or a private one.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;
use tokio_postgres::NoTls;

/// A server on which databases may be made.
pub struct Server {
    /// `postgres://…` without the name of a database.
    base: String,
    query: String,
    private: Option<Private>,
}

struct Private {
    child: Child,
    folder: TempDir,
}

impl Drop for Private {
    fn drop(&mut self) {
        // SIGQUIT is an immediate stop, children included.
        let pid = self.child.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = self.child.wait();
        // The folder belongs to another user when root runs the tests; root may still remove it.
        let _ = std::fs::remove_dir_all(self.folder.path());
    }
}

impl Server {
    /// The server of `MAILCORDON_TEST_POSTGRES`, or a private one.
    pub async fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "a test has no binary to read it")]
        let given = std::env::var("MAILCORDON_TEST_POSTGRES");
        if let Ok(url) = given {
            let (url, query) = match url.split_once('?') {
                Some((url, query)) => (url.to_owned(), format!("?{query}")),
                None => (url, String::new()),
            };
            let after_scheme = url.find("://").map_or(0, |at| at + 3);
            let base = match url[after_scheme..].find('/') {
                Some(slash) => url[..after_scheme + slash].to_owned(),
                None => url,
            };
            return Self {
                base,
                query,
                private: None,
            };
        }
        let private = Private::start();
        let folder = private.folder.path().display().to_string();
        let server = Self {
            base: "postgres://".to_owned(),
            query: format!("?host={}&user=postgres", folder.replace('/', "%2F")),
            private: Some(private),
        };
        server.wait().await;
        server
    }

    async fn wait(&self) {
        for _ in 0..300 {
            if tokio_postgres::connect(&self.url("postgres"), NoTls)
                .await
                .is_ok()
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = self.private.as_ref().map(|private| {
            std::fs::read_to_string(private.folder.path().join("log")).unwrap_or_default()
        });
        panic!("the server does not start: {log:?}");
    }

    fn url(&self, database: &str) -> String {
        format!("{}/{database}{}", self.base, self.query)
    }

    /// Makes a fresh database and gives its URL.
    pub async fn database(&self) -> String {
        let name = format!("mailcordon_{}", uuid_text());
        let sql = format!("CREATE DATABASE {name} TEMPLATE template0");
        let client = connect(&self.url("postgres")).await;
        client.batch_execute(&sql).await.expect("a database");
        self.url(&name)
    }
}

fn uuid_text() -> String {
    use kernel::Random;
    kernel::SystemRandom.uuid().simple().to_string()
}

/// Connects.
pub async fn connect(url: &str) -> tokio_postgres::Client {
    let connected = tokio_postgres::connect(url, NoTls).await;
    let (client, connection) = connected.expect("a connection");
    tokio::spawn(connection);
    client
}

impl Private {
    fn start() -> Self {
        let programs = programs();
        let folder = tempfile::Builder::new()
            .prefix("mailcordon-pg-")
            .tempdir_in("/tmp")
            .expect("a folder");
        let user = (id(&["-u"]) == "0").then(|| (id(&["-u", "postgres"]), id(&["-g", "postgres"])));
        if let Some((owner, group)) = &user {
            let number = |text: &str| text.parse().expect("a number");
            std::os::unix::fs::chown(folder.path(), Some(number(owner)), Some(number(group)))
                .expect("the folder given to postgres");
        }
        // initdb and the server refuse to be root.
        let as_user = |program: PathBuf| match &user {
            None => Command::new(program),
            Some((owner, group)) => {
                let mut command = Command::new("setpriv");
                command.args(["--reuid", owner, "--regid", group, "--clear-groups"]);
                command.arg(program);
                command
            }
        };
        let data = folder.path().join("data");
        let made = as_user(programs.join("initdb"))
            .args(["--no-sync", "--auth=trust", "--username=postgres"])
            .args(["--encoding=UTF8", "--locale=C.UTF-8", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()
            .expect("initdb runs");
        assert!(made.status.success(), "{made:?}");
        let log = std::fs::File::create(folder.path().join("log")).expect("a log");
        let child = as_user(programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .args(["-c", "listen_addresses=", "-c", "fsync=off"])
            .args(["-c", "max_connections=100", "-c", "shared_buffers=32MB"])
            .arg("-c")
            .arg(format!(
                "unix_socket_directories={}",
                folder.path().display()
            ))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("postgres starts");
        Self { child, folder }
    }
}

fn id(arguments: &[&str]) -> String {
    let said = Command::new("id")
        .args(arguments)
        .output()
        .expect("id runs");
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

/// The folder of the newest installed server's programs.
fn programs() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin")))
        .filter(|bin| bin.join("initdb").exists())
        .collect();
    found.sort_by_key(|bin| {
        let version = bin.parent().and_then(Path::file_name);
        version.and_then(|name| name.to_str()?.parse::<u32>().ok())
    });
    found
        .pop()
        .expect("PostgreSQL: `apt-get install postgresql`, or set MAILCORDON_TEST_POSTGRES")
}
