//! `--upstream [HOST[/SUBSET]=]URL`: a service without a document.

use std::{fmt, str::FromStr};

use crate::{names, routing::UpstreamProtocol};

/// Where a service runs, as the command line says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// The service; `None`: the one for everything that no document routes.
    pub host: Option<String>,
    /// Its version.
    pub subset: Option<String>,
    /// What is spoken there.
    pub scheme: Scheme,
    /// An IP address or a host name.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// The scheme of an upstream's URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// HTTP/1.1.
    Http,
    /// HTTP/1.1 over TLS.
    Https,
    /// HTTP/2 by prior knowledge; `grpc` is the same.
    H2c,
    /// HTTP/2 over TLS.
    Grpcs,
}

impl Scheme {
    /// What is spoken, TLS aside.
    pub fn protocol(self) -> UpstreamProtocol {
        match self {
            Self::Http | Self::Https => UpstreamProtocol::Http1,
            Self::H2c | Self::Grpcs => UpstreamProtocol::Http2,
        }
    }

    /// Whether it is spoken over TLS.
    pub fn is_secure(self) -> bool {
        matches!(self, Self::Https | Self::Grpcs)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
            Self::H2c => "h2c",
            Self::Grpcs => "grpcs",
        }
    }
}

/// Why a text is not an upstream. It says what to write instead.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {hint}")]
pub struct UpstreamError {
    reason: String,
    hint: String,
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let text = text.trim();
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains("://") => (Some(name), url),
            _ => (None, text),
        };
        let (host, subset) = match name {
            None => (None, None),
            Some(name) => {
                let (host, subset) = service_name(name)?;
                (Some(host), subset)
            }
        };
        let (scheme, rest) = scheme(url)?;
        let (address, port) = authority(rest, scheme, url)?;
        Ok(Self { host, subset, scheme, address, port })
    }
}

impl Upstream {
    /// `HOST:PORT`, with brackets around an IPv6 address.
    pub fn authority(&self) -> String {
        if self.address.contains(':') {
            format!("[{}]:{}", self.address, self.port)
        } else {
            format!("{}:{}", self.address, self.port)
        }
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            f.write_str(host)?;
            if let Some(subset) = &self.subset {
                write!(f, "/{subset}")?;
            }
            f.write_str("=")?;
        }
        write!(f, "{}://{}", self.scheme.as_str(), self.authority())
    }
}

fn error(reason: String, hint: impl Into<String>) -> UpstreamError {
    UpstreamError { reason, hint: hint.into() }
}

/// `HOST` or `HOST/SUBSET`.
fn service_name(name: &str) -> Result<(String, Option<String>), UpstreamError> {
    let (host, subset) = match name.split_once('/') {
        Some((host, subset)) => (host, Some(subset)),
        None => (name, None),
    };
    names::check(host).map_err(|(reason, hint)| error(reason, hint))?;
    if let Some(subset) = subset
        && (subset.is_empty() || subset.contains(|c: char| c == '/' || c.is_whitespace()))
    {
        return Err(error(
            format!("`{subset}` is not the name of a subset"),
            "write HOST/SUBSET=URL, as in payment-service/v1=http://127.0.0.1:3001",
        ));
    }
    Ok((host.to_ascii_lowercase(), subset.map(str::to_owned)))
}

fn scheme(url: &str) -> Result<(Scheme, &str), UpstreamError> {
    let Some((scheme, rest)) = url.split_once("://") else {
        let guess = if url.is_empty() { "127.0.0.1:3000" } else { url };
        return Err(error(
            format!("`{url}` has no scheme"),
            format!("did you mean `http://{guess}`?"),
        ));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "h2c" | "grpc" => Scheme::H2c,
        "grpcs" => Scheme::Grpcs,
        _ => {
            return Err(error(
                format!("`{scheme}` is not a scheme of an upstream"),
                "write http, https, h2c, grpc (the same as h2c) or grpcs",
            ));
        }
    };
    Ok((scheme, rest))
}

fn authority(rest: &str, scheme: Scheme, url: &str) -> Result<(String, u16), UpstreamError> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if !matches!(path, "" | "/") {
        return Err(error(
            format!("`{url}` has the path `{path}`, but an upstream is a host and a port"),
            format!(
                "write `{}://{authority}`; a path is changed by `rewrite` in a VirtualService",
                scheme.as_str()
            ),
        ));
    }
    if authority.contains('@') {
        return Err(error(
            format!("`{url}` has a user or a password"),
            "set the header `authorization` in a VirtualService instead",
        ));
    }
    let (host, port) = split_port(authority);
    let port = match port {
        None => {
            if scheme.is_secure() {
                443
            } else {
                80
            }
        }
        Some(port) => match port.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(error(format!("`{port}` is not a port"), "write 1 to 65535")),
        },
    };
    names::check(host).map_err(|(reason, hint)| error(reason, hint))?;
    Ok((host.to_ascii_lowercase(), port))
}

/// The host, without the brackets of an IPv6 address, and the text of the port.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    if let Some(rest) = authority.strip_prefix('[')
        && let Some((host, port)) = rest.split_once(']')
    {
        return (host, port.strip_prefix(':'));
    }
    match authority.rsplit_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_shown() {
        for (text, shown) in [
            ("http://localhost:3000", "http://localhost:3000"),
            ("http://localhost:3000/", "http://localhost:3000"),
            ("https://API.example.com", "https://api.example.com:443"),
            ("grpc://127.0.0.1:50051", "h2c://127.0.0.1:50051"),
            ("grpcs://[::1]:50051", "grpcs://[::1]:50051"),
            ("payment-service=http://127.0.0.1:3001", "payment-service=http://127.0.0.1:3001"),
            ("payment-service/v1=h2c://b", "payment-service/v1=h2c://b:80"),
        ] {
            let upstream: Upstream = text.parse().unwrap();
            assert_eq!(upstream.to_string(), shown);
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_what_to_write() {
        for (text, message) in [
            (
                "localhost:3000",
                "`localhost:3000` has no scheme; did you mean `http://localhost:3000`?",
            ),
            (
                "a=localhost:3000",
                "`localhost:3000` has no scheme; did you mean `http://localhost:3000`?",
            ),
            ("", "`` has no scheme; did you mean `http://127.0.0.1:3000`?"),
            (
                "http://a:1/api",
                "`http://a:1/api` has the path `/api`, but an upstream is a host and a port; \
                 write `http://a:1`; a path is changed by `rewrite` in a VirtualService",
            ),
            (
                "ftp://a",
                "`ftp` is not a scheme of an upstream; write http, https, h2c, grpc (the same as h2c) or grpcs",
            ),
            ("http://a:99999", "`99999` is not a port; write 1 to 65535"),
            ("http://a:0", "`0` is not a port; write 1 to 65535"),
            (
                "http://u:p@a",
                "`http://u:p@a` has a user or a password; set the header `authorization` in a VirtualService instead",
            ),
            ("http://", "the host is empty; write a name such as `shop.example`"),
            (
                "a/=http://b",
                "`` is not the name of a subset; write HOST/SUBSET=URL, as in payment-service/v1=http://127.0.0.1:3001",
            ),
        ] {
            assert_eq!(
                text.parse::<Upstream>().map_err(|e| e.to_string()),
                Err(message.to_owned())
            );
        }
    }
}
