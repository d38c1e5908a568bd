//! Intercept mode: a forward proxy that answers for the real host names with certificates of its
//! own throw-away CA, and for no other.

mod place;

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Uri};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CidrSubnet, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    body::{self, Answer},
    door, entra, graph,
    net::{self, Gone, ResetSwitch},
    world::{World, lock},
};
use place::{COMPLIANCE, DOWNLOADS, EXCHANGE, GRAPH, Place, SIGN_IN, place};

/// The CA of one run; its key never leaves memory.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    leaves: Mutex<HashMap<String, Arc<ServerConfig>>>,
    now: Timestamp,
    /// The certificate file, and the folder that was made for it.
    file: PathBuf,
    own_folder: Option<PathBuf>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file);
        if let Some(folder) = &self.own_folder {
            let _ = fs::remove_dir(folder);
        }
    }
}

/// Certificates are valid from a little before now, for clocks that are behind, to a day after.
fn validity(params: &mut CertificateParams, now: Timestamp) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    params.not_before = epoch + Duration::from_secs(seconds.saturating_sub(300));
    params.not_after = epoch + Duration::from_secs(seconds + 86_400 - 300);
}

impl Authority {
    /// Makes a CA and writes its certificate into `folder`, or into a fresh private one.
    pub(crate) fn new(folder: Option<&Path>, now: Timestamp) -> io::Result<Self> {
        let broken = |error: rcgen::Error| io::Error::other(error);
        let mut params = CertificateParams::default();
        validity(&mut params, now);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(
            DnType::CommonName,
            "mailcordon sandbox (throw-away, simulated)",
        );
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let names = SIGN_IN
            .iter()
            .chain(EXCHANGE)
            .chain(DOWNLOADS)
            .chain([&COMPLIANCE, &GRAPH]);
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: names
                .map(|name| GeneralSubtree::DnsName((*name).to_owned()))
                .collect(),
            // What is permitted bounds names only: without this, any address would be.
            excluded_subtrees: vec![
                GeneralSubtree::IpAddress(CidrSubnet::V4([0; 4], [0; 4])),
                GeneralSubtree::IpAddress(CidrSubnet::V6([0; 16], [0; 16])),
            ],
        });
        let key = KeyPair::generate().map_err(broken)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(broken)?;
        let (folder, own_folder) = if let Some(folder) = folder {
            if !folder.exists() {
                private_folder(folder)?;
            }
            (folder.to_owned(), None)
        } else {
            let name = format!("mailcordon-sandbox-{}", crate::directory::random_text(16));
            let folder = std::env::temp_dir().join(name);
            private_folder(&folder)?;
            (folder.clone(), Some(folder))
        };
        let file = folder.join("mailcordon-sandbox-ca.pem");
        write_private(&file, issuer.pem().as_bytes())?;
        Ok(Self {
            issuer,
            leaves: Mutex::new(HashMap::new()),
            now,
            file,
            own_folder,
        })
    }

    /// Where the CA certificate stands.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// What serves TLS for a name, made on first use.
    fn config(&self, host: &str) -> io::Result<Arc<ServerConfig>> {
        if let Some(config) = lock(&self.leaves).get(host) {
            return Ok(Arc::clone(config));
        }
        let mut params = CertificateParams::new(vec![host.to_owned()]).map_err(io::Error::other)?;
        validity(&mut params, self.now);
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "mailcordon sandbox");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let leaf = params
            .signed_by(&key, &self.issuer)
            .map_err(io::Error::other)?;
        let chain = vec![
            CertificateDer::from(leaf.der().to_vec()),
            self.issuer.der().clone(),
        ];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        lock(&self.leaves).insert(host.to_owned(), Arc::clone(&config));
        Ok(config)
    }
}

#[cfg(unix)]
fn private_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().mode(0o700).create(folder)
}

#[cfg(not(unix))]
fn private_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir(folder)
}

/// Writes a file that is new and its owner's alone; one of an earlier run is replaced.
fn write_private(file: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let _ = fs::remove_file(file);
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(file)?.write_all(bytes)
}

/// Serves one connection to the proxy.
pub(crate) async fn connection(
    world: Arc<World>,
    authority: Arc<Authority>,
    wire: net::Wire,
    reset: ResetSwitch,
) {
    // What a tunnel carries runs in the task of its connection, so that it ends with it.
    let (send, mut tunnels) = tokio::sync::mpsc::channel(1);
    let handler = {
        let world = Arc::clone(&world);
        move |request: Request<Incoming>| {
            let (world, send) = (Arc::clone(&world), send.clone());
            async move { Ok::<_, Gone>(connect(&world, request, &send)) }
        }
    };
    net::serve_connection(wire, handler).await;
    let Some((host, place, upgrade)) = tunnels.recv().await else {
        return;
    };
    match tunnel(&world, &authority, &host, place, upgrade, &reset).await {
        Ok(()) => {}
        Err(error) => tracing::trace!(%error, "a tunnel ended early"),
    }
}

type Tunnel = (String, Place, hyper::upgrade::OnUpgrade);

fn connect(
    world: &Arc<World>,
    request: Request<Incoming>,
    send: &tokio::sync::mpsc::Sender<Tunnel>,
) -> Answer {
    let mut record = world.record("proxy");
    record.entry.method = request.method().to_string();
    let (host, port) = target(request.uri());
    record.entry.path = kernel::escape::clipped(&host, 200);
    let found = if request.method() == Method::CONNECT && port == Some(443) {
        place(&host)
    } else {
        None
    };
    let answer = if let Some(place) = found {
        let handed = send.try_send((host, place, hyper::upgrade::on(request)));
        if handed.is_ok() {
            body::empty(200)
        } else {
            body::empty(503)
        }
    } else {
        let text = format!(
            "The sandbox's proxy answers for Microsoft 365 alone and passes nothing on: {} is refused.\n",
            kernel::escape::clipped(&host, 200)
        );
        body::answer(403, "text/plain; charset=utf-8", text)
    };
    record.entry.status = Some(answer.status().as_u16());
    answer
}

fn target(uri: &Uri) -> (String, Option<u16>) {
    (
        uri.host().unwrap_or_default().to_ascii_lowercase(),
        uri.port_u16(),
    )
}

async fn tunnel(
    world: &Arc<World>,
    authority: &Authority,
    host: &str,
    place: Place,
    upgrade: hyper::upgrade::OnUpgrade,
    reset: &ResetSwitch,
) -> io::Result<()> {
    let upgraded = upgrade.await.map_err(io::Error::other)?;
    let acceptor = TlsAcceptor::from(authority.config(host)?);
    let stream = acceptor.accept(TokioIo::new(upgraded)).await?;
    let base = format!("https://{host}");
    let place = Arc::new(place);
    let handler = move |request: Request<Incoming>| {
        let (world, reset) = (Arc::clone(world), reset.clone());
        let (base, place) = (base.clone(), Arc::clone(&place));
        async move {
            match place.as_ref() {
                Place::SignIn => entra::serve(&world, &base, &reset, request).await,
                Place::Service(entrance) => door::serve(&world, entrance, &reset, request).await,
                Place::Graph(entrance) => graph::serve(&world, entrance, &reset, request).await,
                Place::Download => {
                    let authority = format!("https://{}", SIGN_IN.first().unwrap_or(&""));
                    graph::download::serve(&world, &authority, &reset, request).await
                }
            }
        }
    };
    net::serve_connection(stream, handler).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::door::REGION;

    #[test]
    fn only_the_services_names_are_answered_for() {
        assert!(place("login.microsoftonline.com").is_some());
        assert!(place(&format!("{REGION}.{COMPLIANCE}")).is_some());
        assert!(place("any-region1.ps.compliance.protection.outlook.com").is_some());
        assert!(place("graph.microsoft.com").is_some());
        assert!(place("eur.proxyservice.ediscovery.svc.cloud.microsoft").is_some());
        assert!(place("apc.proxyservice.ediscovery.office365.com").is_some());
        for stranger in [
            "example.com",
            "outlook.office365.com.attacker.example",
            "evil-ps.compliance.protection.outlook.com.",
            "a.b.ps.compliance.protection.outlook.com",
            ".ps.compliance.protection.outlook.com",
            "xoutlook.office365.com",
            "eur02b.admin.protection.outlook.com",
            "graph.microsoft.com.attacker.example",
            "proxyservice.ediscovery.svc.cloud.microsoft",
            "a.b.proxyservice.ediscovery.svc.cloud.microsoft",
        ] {
            assert!(place(stranger).is_none(), "{stranger}");
        }
    }

    /// Whether a client that trusts the CA takes a certificate of it for that name.
    fn taken(authority: &Authority, name: &str) -> bool {
        use rustls::{
            RootCertStore,
            client::{WebPkiServerVerifier, danger::ServerCertVerifier},
            pki_types::{ServerName, UnixTime},
        };
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        validity(&mut params, authority.now);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &authority.issuer).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(authority.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider);
        let seconds = u64::try_from(authority.now.as_second()).unwrap();
        verifier
            .build()
            .unwrap()
            .verify_server_cert(
                &CertificateDer::from(leaf.der().to_vec()),
                &[],
                &ServerName::try_from(name).unwrap(),
                &[],
                UnixTime::since_unix_epoch(Duration::from_secs(seconds)),
            )
            .is_ok()
    }

    #[test]
    fn the_ca_vouches_for_the_services_names_and_for_no_address() {
        let now = "2026-03-02T09:00:00Z".parse().unwrap();
        let authority = Authority::new(None, now).unwrap();
        assert!(taken(&authority, "outlook.office365.com"));
        for name in [
            "eur02b.ps.compliance.protection.outlook.com",
            "graph.microsoft.com",
            "apc.proxyservice.ediscovery.svc.cloud.microsoft",
            "apc.proxyservice.ediscovery.office365.com",
        ] {
            assert!(taken(&authority, name), "{name}");
        }
        for stranger in [
            "example.com",
            "192.0.2.1",
            "127.0.0.1",
            "2001:db8::1",
            "::1",
        ] {
            assert!(!taken(&authority, stranger), "{stranger}");
        }
    }
}
