//! SOCKS5 (RFC 1928) with user name and password (RFC 1929). The proxy resolves names.

use std::net::IpAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use zeroize::Zeroizing;

use super::{
    dial::Stream,
    proxy::{Proxy, refused},
};
use crate::{
    clouds::Origin,
    error::{SendError, SendKind},
};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USERNAME_PASSWORD: u8 = 2;

/// Asks a SOCKS5 proxy for a tunnel.
pub(super) async fn connect(
    proxy: &Proxy,
    origin: &Origin,
    mut stream: Stream,
) -> Result<Stream, SendError> {
    let fail = |text: &str| refused(proxy, origin, text);
    let broken = |error: std::io::Error| fail(&format!("broke the connection: {error}"));
    let credentials = proxy.credentials(origin.bare_host()).await?;
    let methods: &[u8] = if credentials.is_some() {
        &[VERSION, 2, NO_AUTHENTICATION, USERNAME_PASSWORD]
    } else {
        &[VERSION, 1, NO_AUTHENTICATION]
    };
    stream.write_all(methods).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut choice = [0; 2];
    stream.read_exact(&mut choice).await.map_err(broken)?;
    match (choice, &credentials) {
        ([VERSION, NO_AUTHENTICATION], _) => {}
        ([VERSION, USERNAME_PASSWORD], Some((username, password))) => {
            let mut message = Zeroizing::new(vec![1]);
            for part in [username.as_bytes(), password.expose().as_bytes()] {
                let length = u8::try_from(part.len()).map_err(|_| {
                    fail("takes user names and passwords of at most 255 bytes only")
                })?;
                message.push(length);
                message.extend_from_slice(part);
            }
            stream.write_all(&message).await.map_err(broken)?;
            stream.flush().await.map_err(broken)?;
            let mut answer = [0; 2];
            stream.read_exact(&mut answer).await.map_err(broken)?;
            if answer != [1, 0] {
                return Err(fail("did not take the user name and password"));
            }
        }
        ([VERSION, 0xFF], None) => {
            return Err(fail(
                "wants a user name and a password, or a scheme that is not supported",
            ));
        }
        ([VERSION, _], _) => {
            let mut error =
                fail("wants Kerberos (GSSAPI) or another scheme, which is not supported");
            error.kind = SendKind::ProxyUnsupported;
            return Err(error);
        }
        _ => return Err(fail("does not answer as a SOCKS5 proxy")),
    }
    let mut request = vec![VERSION, 1, 0];
    match origin.bare_host().parse() {
        Ok(IpAddr::V4(ip)) => {
            request.push(1);
            request.extend_from_slice(&ip.octets());
        }
        Ok(IpAddr::V6(ip)) => {
            request.push(4);
            request.extend_from_slice(&ip.octets());
        }
        Err(_) => {
            let length = u8::try_from(origin.host.len())
                .map_err(|_| fail("takes host names of at most 255 bytes only"))?;
            request.extend_from_slice(&[3, length]);
            request.extend_from_slice(origin.host.as_bytes());
        }
    }
    request.extend_from_slice(&origin.port.to_be_bytes());
    stream.write_all(&request).await.map_err(broken)?;
    stream.flush().await.map_err(broken)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.map_err(broken)?;
    let [version, reply, _, kind] = answer;
    if version != VERSION {
        return Err(fail("does not answer as a SOCKS5 proxy"));
    }
    if reply != 0 {
        return Err(fail(&format!("refused to connect: {}", reason(reply))));
    }
    // The address it bound is of no use to us, but stands in front of the other side's bytes.
    let length = match kind {
        1 => 4,
        4 => 16,
        3 => usize::from(stream.read_u8().await.map_err(broken)?),
        _ => return Err(fail("does not answer as a SOCKS5 proxy")),
    };
    let mut rest = vec![0; length + 2];
    stream.read_exact(&mut rest).await.map_err(broken)?;
    Ok(stream)
}

fn reason(reply: u8) -> &'static str {
    match reply {
        1 => "general failure",
        2 => "its rules forbid it",
        3 => "network unreachable",
        4 => "host unreachable",
        5 => "connection refused",
        6 => "time to live expired",
        7 => "it does not support CONNECT",
        8 => "it does not support this kind of address",
        _ => "for a reason that it does not name",
    }
}
