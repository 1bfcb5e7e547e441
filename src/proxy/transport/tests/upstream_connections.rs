use std::{io, sync::LazyLock};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;

/// A place that is never left.
static PLACE: LazyLock<Arc<EngineConnections>> = LazyLock::new(|| Arc::new(EngineConnections::new()));

/// A connection of ours, the other end of it, and what the engine would tell of it.
async fn connected(connections: &Arc<UpstreamConnections>) -> (Stream, TcpStream, Digest) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = EngineAddr::Inet(listener.local_addr().unwrap());
    let connector = Connector { all: connections.clone(), endpoint: PLACE.clone() };
    let (stream, accepted) = tokio::join!(connector.connect(&address), listener.accept());
    let stream = stream.unwrap();
    let digest = Digest { proxy_digest: stream.get_proxy_digest(), ..Digest::default() };
    (stream, accepted.unwrap().0, digest)
}

async fn read(stream: &mut Stream, other: &mut TcpStream) -> io::Result<Vec<u8>> {
    other.write_all(b"x").await?;
    let mut bytes = vec![0; 1];
    let read = stream.read(&mut bytes).await?;
    bytes.truncate(read);
    Ok(bytes)
}

#[tokio::test]
async fn a_connection_is_cut_when_its_deadline_is_over_and_not_before() {
    let connections = UpstreamConnections::new();
    let (mut stream, mut other, digest) = connected(&connections).await;
    let mut hold = Hold::of(Some(&digest)).unwrap();
    let now = Instant::now();
    hold.until(Some(now + Duration::from_secs(5))).unwrap();
    connections.look(now + Duration::from_secs(4));
    assert!(!hold.was_cut());
    assert_eq!(read(&mut stream, &mut other).await.unwrap(), b"x");
    connections.look(now + Duration::from_secs(6));
    assert!(hold.was_cut());
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    assert_eq!(hold.until(None), Err(Cut));
}

#[tokio::test]
async fn a_deadline_within_a_millisecond_is_not_early() {
    let connections = UpstreamConnections::new();
    let (_stream, _other, digest) = connected(&connections).await;
    let mut hold = Hold::of(Some(&digest)).unwrap();
    for micros in [1, 500, 999] {
        let deadline = connections.begun + Duration::from_secs(5) + Duration::from_micros(micros);
        hold.until(Some(deadline)).unwrap();
        connections.look(deadline - Duration::from_micros(1));
        assert!(!hold.was_cut(), "{micros} microseconds");
    }
    // In ten thousand years.
    hold.until(Some(connections.begun + Duration::from_secs(10_000 * 365 * 86_400))).unwrap();
    connections.look(connections.begun + Duration::from_secs(86_400));
    assert!(!hold.was_cut());
    hold.until(Some(connections.begun + Duration::from_secs(5))).unwrap();
    connections.look(connections.begun + Duration::from_secs(5) + Duration::from_millis(1));
    assert!(hold.was_cut());
}

#[tokio::test]
async fn an_exchange_that_is_over_leaves_no_deadline_to_the_next() {
    let connections = UpstreamConnections::new();
    let (mut stream, mut other, digest) = connected(&connections).await;
    let now = Instant::now();
    let late = now + Duration::from_secs(60);
    for let_go_first in [true, false] {
        let mut first = Hold::of(Some(&digest)).unwrap();
        first.until(Some(now + Duration::from_secs(5))).unwrap();
        if let_go_first {
            drop(first);
            connections.look(late);
        } else {
            let mut second = Hold::of(Some(&digest)).unwrap();
            second.until(Some(now + Duration::from_secs(90))).unwrap();
            drop(first);
            connections.look(late);
            assert!(!second.was_cut());
            connections.look(now + Duration::from_secs(91));
            assert!(second.was_cut(), "what the first let go of was the second's");
            continue;
        }
        assert_eq!(read(&mut stream, &mut other).await.unwrap(), b"x");
    }
}

#[tokio::test]
async fn a_socket_that_is_closed_is_nobodys_to_cut() {
    let connections = UpstreamConnections::new();
    let (stream, _other, digest) = connected(&connections).await;
    let mut hold = Hold::of(Some(&digest)).unwrap();
    hold.until(Some(Instant::now())).unwrap();
    drop(stream);
    assert_eq!(*lock(&hold.connection.socket), None);
    // Its number may be another's by now: looking cuts nothing.
    connections.look(Instant::now() + Duration::from_secs(1));
    drop((hold, digest));
    connections.look(Instant::now());
    assert!(lock(&connections.all).is_empty());
}

#[tokio::test]
async fn connections_to_a_place_are_closed_when_nobody_can_use_them_any_more() {
    let connections = UpstreamConnections::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = EngineAddr::Inet(listener.local_addr().unwrap());
    let connector = Connector { all: connections, endpoint: Arc::new(EngineConnections::new()) };
    let request = connector.endpoint.clone();
    let mut pairs = Vec::new();
    for _ in 0..10 {
        let (stream, accepted) = tokio::join!(connector.connect(&address), listener.accept());
        pairs.push((stream.unwrap(), accepted.unwrap().0));
    }
    drop(pairs.pop());
    drop(connector);
    for (stream, other) in &mut pairs {
        assert_eq!(read(stream, other).await.unwrap(), b"x", "a request is still under way");
    }
    drop(request);
    for (stream, other) in &mut pairs {
        assert_eq!(other.read(&mut [0; 1]).await.unwrap(), 0);
        assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
    }
}

#[test]
fn an_endpoint_that_comes_back_shares_no_connection_with_the_one_that_left() {
    let key = || EngineConnections::new().key(7);
    assert_ne!(key(), key());
}
