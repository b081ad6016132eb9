//! The one port, on both versions of IP: a network may have only one of them.

use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::addresses::Addresses;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// How long nothing is accepted when the system has no room for a connection.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(200);

/// Accepts on one address, or on all of this machine.
#[derive(Debug)]
pub(crate) struct BothVersions {
    first: TcpListener,
    /// IPv6, where the first is all of IPv4.
    second: Option<TcpListener>,
    /// Where it is noted at which addresses others reach this machine.
    addresses: Option<Addresses>,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Remote(pub(crate) IpAddr);

impl BothVersions {
    /// Listens. Where an address is all of IPv4, all of IPv6 is, too, if the system has it.
    pub(crate) async fn bind(address: SocketAddr) -> anyhow::Result<Self> {
        let first = TcpListener::bind(address).await.with_context(|| {
            format!(
                "cannot listen on {address}: is another program there? --port gives another port"
            )
        })?;
        let port = first.local_addr()?.port();
        let is_all = address.is_ipv4() && address.ip().is_unspecified();
        let second = if is_all { listen_on_ipv6(port) } else { None };
        Ok(Self {
            first,
            second,
            addresses: None,
        })
    }

    /// Notes there at which addresses others reach this machine.
    pub(crate) fn noting_in(self, addresses: Addresses) -> Self {
        Self {
            addresses: Some(addresses),
            ..self
        }
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.first.local_addr()
    }

    async fn accept_either(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let second = async {
            match &self.second {
                Some(second) => second.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = self.first.accept() => accepted,
            accepted = second => accepted,
        }
    }
}

/// `None` where the system has no IPv6, or something else has the port there.
fn listen_on_ipv6(port: u16) -> Option<TcpListener> {
    let listen = || -> io::Result<TcpListener> {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_only_v6(true)?;
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)).into())?;
        socket.listen(BACKLOG)?;
        TcpListener::from_std(socket.into())
    };
    match listen() {
        Ok(listener) => Some(listener),
        Err(error) => {
            tracing::debug!(%error, "no IPv6 on this port");
            None
        }
    }
}

impl Listener for BothVersions {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.accept_either().await {
                Ok((stream, remote)) => {
                    // Answers are small and awaited: none waits until there is more to send with it.
                    let _ = stream.set_nodelay(true);
                    if let (Some(addresses), Ok(local)) = (&self.addresses, stream.local_addr()) {
                        addresses.note_reached(local.ip(), remote.ip());
                    }
                    return (stream, remote);
                }
                Err(error) => {
                    let is_theirs = matches!(
                        error.kind(),
                        io::ErrorKind::ConnectionAborted
                            | io::ErrorKind::ConnectionReset
                            | io::ErrorKind::ConnectionRefused
                    );
                    if !is_theirs {
                        tracing::warn!(%error, "no connection can be accepted");
                        // Too many files are open: nothing tells when one is closed.
                        tokio::time::sleep(NO_ROOM_PAUSE).await;
                    }
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.address()
    }
}

impl Connected<IncomingStream<'_, BothVersions>> for Remote {
    fn connect_info(stream: IncomingStream<'_, BothVersions>) -> Self {
        Self(stream.remote_addr().ip().to_canonical())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_addresses_are_those_of_both_versions() {
        let any = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut listener = BothVersions::bind(any).await.unwrap();
        let port = listener.address().unwrap().port();
        for loopback in ["127.0.0.1", "::1"] {
            let to = SocketAddr::new(loopback.parse().unwrap(), port);
            let is_there = std::net::TcpListener::bind((to.ip(), 0)).is_ok();
            if !is_there {
                assert!(loopback == "::1", "this machine has no IPv6");
                continue;
            }
            let (connected, (_, remote)) = tokio::join!(TcpStream::connect(to), listener.accept());
            assert!(connected.is_ok());
            assert_eq!(remote.ip(), to.ip());
        }
    }
}
