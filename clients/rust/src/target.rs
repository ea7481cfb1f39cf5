//! Which targets a client accepts. What is wrong with one is found before anything is sent.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::Error;

const LOOPBACK: [&str; 3] = ["127.0.0.1", "localhost", "::1"];
const OTHER_SCHEMES: [&str; 4] = ["unix-abstract", "vsock", "xds", "passthrough"];

/// What a client connects to.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// As the caller wrote it.
    pub(crate) text: String,
    pub(crate) places: Places,
    /// Host and port as requests name them.
    pub(crate) authority: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Places {
    /// Every address of a name.
    Name {
        host: String,
        port: u16,
    },
    Addresses(Vec<SocketAddr>),
    #[cfg_attr(not(unix), allow(dead_code))] // there are no such sockets elsewhere
    Socket(PathBuf),
}

impl Target {
    /// Reads `host:port`, or a target of gRPC with the scheme dns, ipv4, ipv6 or unix.
    pub(crate) fn read(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(wrong("it is empty; write host:port, such as payorch:50051"));
        }
        if text.chars().any(|character| character.is_whitespace() || character.is_control()) {
            return Err(wrong(format!("{text:?} contains blanks or control characters")));
        }
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        if scheme == "http" || scheme == "https" {
            return Err(wrong(format!("{text:?} is the address of a web page; write host:port")));
        }
        let port_follows = !rest.is_empty() && rest.bytes().all(|digit| digit.is_ascii_digit());
        let places = match scheme {
            _ if port_follows => name(text, text)?,
            "dns" => name(text, rest.strip_prefix("///").unwrap_or(rest))?,
            "ipv4" | "ipv6" => addresses(text, rest, scheme == "ipv6")?,
            "unix" if cfg!(unix) => Places::Socket(rest.strip_prefix("//").unwrap_or(rest).into()),
            _ if OTHER_SCHEMES.contains(&scheme) || scheme == "unix" => {
                return Err(wrong(format!(
                    "{text:?} has a scheme that this client lacks; it has dns, ipv4, ipv6 and unix"
                )));
            }
            _ => name(text, text)?,
        };
        let authority = match &places {
            Places::Name { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Places::Name { host, port } => format!("{host}:{port}"),
            Places::Addresses(addresses) => addresses[0].to_string(),
            Places::Socket(_) => "localhost".into(),
        };
        if authority.parse::<http::uri::Authority>().is_err() {
            return Err(wrong(format!("{text:?} is no name of a host")));
        }
        Ok(Self { text: text.into(), places, authority })
    }

    /// Whether all of it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match &self.places {
            Places::Name { host, .. } => LOOPBACK.contains(&&**host),
            Places::Addresses(addresses) => {
                addresses.iter().all(|address| LOOPBACK.contains(&&*address.ip().to_string()))
            }
            Places::Socket(_) => true,
        }
    }
}

fn name(text: &str, place: &str) -> Result<Places, Error> {
    let Some((host, port)) = place.rsplit_once(':').filter(|(host, _)| !host.is_empty()) else {
        return Err(wrong(format!("{text:?} needs a host and a port, such as payorch:50051")));
    };
    let bracketed = host.strip_prefix('[').and_then(|inner| inner.strip_suffix(']'));
    if host.contains(':') && bracketed.is_none() {
        return Err(wrong(format!("{text:?} needs brackets around its IPv6 address, such as [::1]:50051")));
    }
    if host.contains(['/', '@', '?', '#']) {
        return Err(wrong(format!("{text:?} is more than host:port")));
    }
    if bracketed.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_err()) {
        return Err(wrong(format!("{text:?} has no IPv6 address in its brackets")));
    }
    let plain = port.bytes().all(|digit| digit.is_ascii_digit());
    match port.parse() {
        Ok(port @ 1..) if plain => Ok(Places::Name { host: bracketed.unwrap_or(host).into(), port }),
        _ => Err(wrong(format!("{text:?} needs a port from 1 to 65535"))),
    }
}

fn addresses(text: &str, list: &str, v6: bool) -> Result<Places, Error> {
    let address = |place: &str| match name(text, place)? {
        Places::Name { host, port } => match host.parse::<IpAddr>() {
            Ok(ip) if ip.is_ipv6() == v6 => Ok(SocketAddr::new(ip, port)),
            _ => Err(wrong(format!("{text:?} has {host:?} among its addresses"))),
        },
        _ => unreachable!("a name was read"),
    };
    Ok(Places::Addresses(list.strip_prefix("///").unwrap_or(list).split(',').map(address).collect::<Result<_, _>>()?))
}

fn wrong(problem: impl AsRef<str>) -> Error {
    Error::argument(format!("target: {}", problem.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_of(host: &str) -> Places {
        Places::Name { host: host.into(), port: 50051 }
    }

    #[test]
    fn targets_are_read() {
        let pair = vec!["10.0.0.1:1".parse().unwrap(), "10.0.0.2:2".parse().unwrap()];
        for (text, places, authority) in [
            ("payorch:50051", name_of("payorch"), "payorch:50051"),
            ("127.0.0.1:50051", name_of("127.0.0.1"), "127.0.0.1:50051"),
            ("[::1]:50051", name_of("::1"), "[::1]:50051"),
            ("dns:///payorch:50051", name_of("payorch"), "payorch:50051"),
            ("dns:payorch:50051", name_of("payorch"), "payorch:50051"),
            ("dns:50051", name_of("dns"), "dns:50051"),
            ("ipv4:10.0.0.1:1,10.0.0.2:2", Places::Addresses(pair), "10.0.0.1:1"),
            ("unix:/run/payorch", Places::Socket("/run/payorch".into()), "localhost"),
            ("unix:///run/payorch", Places::Socket("/run/payorch".into()), "localhost"),
        ] {
            let target = Target::read(text).unwrap();

            assert_eq!((places, authority), (target.places, target.authority.as_str()), "{text}");
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for (text, problem) in [
            ("", "it is empty"),
            ("pay orch:1", "blanks"),
            ("payorch:1\n", "blanks"),
            ("https://payorch:50051", "\"https://payorch:50051\" is the address of a web page; write host:port"),
            ("payorch", "needs a host and a port"),
            (":50051", "needs a host and a port"),
            ("::1:50051", "needs brackets"),
            ("user@payorch:1", "more than host:port"),
            ("payorch/path:1", "more than host:port"),
            ("payorch:0", "needs a port"),
            ("payorch:65536", "needs a port"),
            ("payorch:+1", "needs a port"),
            ("dns://8.8.8.8/payorch:1", "more than host:port"),
            ("ipv4:payorch:1", "among its addresses"),
            ("ipv6:127.0.0.1:1", "among its addresses"),
            ("xds:///payorch", "has a scheme that this client lacks"),
            ("zählung:1", "no name of a host"),
        ] {
            let error = Target::read(text).unwrap_err().to_string();

            assert!(error.starts_with("target: ") && error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn only_this_machine_is_local() {
        for (text, local) in [
            ("localhost:1", true),
            ("127.0.0.1:1", true),
            ("[::1]:1", true),
            ("unix:/run/payorch", true),
            ("ipv4:127.0.0.1:1,10.0.0.1:1", false),
            ("payorch:1", false),
            ("localhost.example:1", false),
        ] {
            assert_eq!(local, Target::read(text).unwrap().is_local(), "{text}");
        }
    }
}
