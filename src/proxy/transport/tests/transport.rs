//! Links over real sockets.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use pingora::{
    connectors::L4Connect,
    protocols::l4::{socket::SocketAddr as EngineAddr, stream::Stream},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tollgate_filter_api::{NoCertificate, Peer};

use super::{Dial, Pool, PoolLimits, Pools, flow::LEAST};
use crate::{
    proxy::{client::connection::Connection, server::pressure::Pressure, transport::upstream_connections::UpstreamConnections},
    telemetry::Telemetry,
};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";

struct World {
    listener: TcpListener,
    address: SocketAddr,
    pools: Pools,
    pool: Arc<Pool>,
    pressure: Arc<Pressure>,
    client: Arc<Connection>,
}

impl World {
    async fn new(buffers: u64, read: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (pools, pressure) = (Pools::default(), Arc::new(Pressure::default()));
        let limits = PoolLimits {
            read,
            write: Duration::from_millis(100),
            pressure: pressure.clone(),
            idle: Duration::from_secs(60),
            buffer: 8 * LEAST,
            budget: crate::proxy::budget::Budget::new(buffers, Telemetry::new([]).limits.answer_buffers.clone()),
            filled: Telemetry::new([]).limits.answer_buffer.clone(),
            connections: UpstreamConnections::new(),
        };
        let pool = pools.of(7, limits);
        let client = Arc::new(Connection::new([127, 0, 0, 1].into(), false, Peer::Anonymous(NoCertificate::Plain), None, false));
        client.multiplexed(10);
        Self { listener, address, pools, pool, pressure, client }
    }

    async fn connect(&self) -> (Stream, Arc<Dial>) {
        let dial = Dial::new(self.pool.clone(), self.client.clone());
        (dial.connect(&EngineAddr::Inet(self.address)).await.unwrap(), dial)
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }
}

/// What can be read until nothing more comes for a while.
async fn drain(stream: &mut Stream) -> usize {
    let mut buffer = vec![0; 64 << 10];
    let mut all = 0;
    while let Ok(Ok(read)) = tokio::time::timeout(Duration::from_millis(60), stream.read(&mut buffer)).await {
        if read == 0 {
            break;
        }
        all += read;
    }
    all
}

async fn answer(upstream: &mut TcpStream, head: &[u8]) {
    let all = [head, &vec![b'x'; 400_000]].concat();
    let _ = tokio::time::timeout(Duration::from_millis(100), upstream.write_all(&all)).await;
}

/// Whether so much of a body is what may be handed over before the client has taken some.
fn is_held(body: usize) -> bool {
    (1..2 * LEAST).contains(&body)
}

/// Whether the engine would keep the connection: it asks with room for one byte.
fn would_keep(stream: &mut Stream) -> bool {
    stream.read(&mut [0; 1][..]).now_or_never().is_none()
}

#[tokio::test]
async fn no_more_is_handed_over_than_the_window_until_the_client_takes_some() {
    let world = World::new(1 << 20, Duration::from_secs(60)).await;
    let (mut stream, dial) = world.connect().await;
    let mut upstream = world.accept().await;
    tokio::spawn(async move { upstream.write_all(&[HEAD, &vec![b'x'; 1_000_000]].concat()).await });
    assert_eq!(drain(&mut stream).await, LEAST);
    for window in [1, 1, 1, 1, 2, 2, 2, 2, 2, 4, 4] {
        dial.flow().unwrap().passed();
        let piece = drain(&mut stream).await;
        // What the socket has at hand may be a little less.
        assert!(piece <= window * LEAST && 2 * piece > window * LEAST, "{piece} of {window}");
    }
}

#[tokio::test]
async fn windows_do_not_grow_when_the_buffers_of_all_are_used_up_and_give_back_what_they_had() {
    let world = World::new(3 * LEAST as u64, Duration::from_secs(60)).await;
    let (mut first, of_first) = world.connect().await;
    let (mut second, of_second) = world.connect().await;
    for stream in [&mut first, &mut second] {
        let mut upstream = world.accept().await;
        answer(&mut upstream, HEAD).await;
        drain(stream).await;
        std::mem::forget(upstream.into_std());
    }
    let sixth = async |dial: &Dial, stream: &mut Stream| {
        let mut last = 0;
        for _ in 0..6 {
            dial.flow().unwrap().passed();
            last = drain(stream).await;
        }
        last
    };
    assert_eq!(sixth(&of_first, &mut first).await, 2 * LEAST, "it took the last bytes");
    assert_eq!(sixth(&of_second, &mut second).await, LEAST, "there were none left");
    drop((first, of_first));
    assert_eq!(sixth(&of_second, &mut second).await, 2 * LEAST);
}

#[tokio::test]
async fn a_head_is_not_held_back_however_long_and_however_it_is_cut() {
    let long = [&HEAD[..HEAD.len() - 2], b"X: ", &vec![b'a'; 5 * LEAST], b"\r\n\r\n"].concat();
    for cut in [1, 2, 3, 4, long.len() - LEAST] {
        let world = World::new(0, Duration::from_secs(60)).await;
        let (mut stream, _dial) = world.connect().await;
        let mut upstream = world.accept().await;
        upstream.set_nodelay(true).unwrap();
        let (start, end) = long.split_at(long.len() - cut);
        upstream.write_all(start).await.unwrap();
        assert_eq!(drain(&mut stream).await, start.len());
        answer(&mut upstream, end).await;
        assert!(is_held(drain(&mut stream).await - cut), "{cut}");
    }
}

#[tokio::test]
async fn after_an_interim_answer_comes_another_head() {
    let world = World::new(0, Duration::from_secs(60)).await;
    let (mut stream, dial) = world.connect().await;
    let mut upstream = world.accept().await;
    let interim = b"HTTP/1.1 103 Early Hints\r\n\r\n";
    upstream.write_all(interim).await.unwrap();
    assert_eq!(drain(&mut stream).await, interim.len());
    dial.flow().unwrap().interim();
    let long = [&HEAD[..HEAD.len() - 2], b"X: ", &vec![b'a'; 2 * LEAST], b"\r\n\r\n"].concat();
    answer(&mut upstream, &long).await;
    assert!(is_held(drain(&mut stream).await - long.len()));
}

#[tokio::test]
async fn a_connection_is_used_again_unless_its_upstream_closed_it_or_said_something() {
    let world = World::new(0, Duration::from_secs(60)).await;
    let mut upstream = None;
    for round in 0..3 {
        let (mut stream, dial) = world.connect().await;
        if upstream.is_none() {
            upstream = Some(world.accept().await);
        }
        assert_eq!(dial.was_kept(), round > 0);
        assert!(!would_keep(&mut stream), "the engine does not keep it");
    }
    // Now it says something that nobody asked for.
    let mut upstream = upstream.unwrap();
    upstream.write_all(b"?").await.unwrap();
    upstream.flush().await.unwrap();
    let begun = Instant::now();
    loop {
        let (_stream, dial) = world.connect().await;
        if !dial.was_kept() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "it is still kept");
    }
}

#[tokio::test]
async fn a_connection_with_an_answer_that_was_not_read_whole_is_not_kept() {
    let world = World::new(0, Duration::from_secs(60)).await;
    let (mut stream, _) = world.connect().await;
    let mut upstream = world.accept().await;
    answer(&mut upstream, HEAD).await;
    drain(&mut stream).await;
    would_keep(&mut stream);
    drop(stream);
    assert!(!world.connect().await.1.was_kept());
}

#[tokio::test]
async fn a_kept_connection_that_the_upstream_closed_is_closed() {
    let world = World::new(0, Duration::from_secs(60)).await;
    let (mut stream, _) = world.connect().await;
    let upstream = world.accept().await;
    would_keep(&mut stream);
    drop(upstream);
    let begun = Instant::now();
    loop {
        world.pools.sweep();
        if !format!("{:?}", world.pool).contains("address") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "a closed connection is still kept");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn kept_connections_are_closed_with_the_last_who_can_use_them() {
    let World { listener, address, pools, pool, client, .. } = World::new(0, Duration::from_secs(60)).await;
    let mut upstreams = Vec::new();
    let mut streams = Vec::new();
    for _ in 0..2 {
        let dial = Dial::new(pool.clone(), client.clone());
        streams.push(dial.connect(&EngineAddr::Inet(address)).await.unwrap());
        upstreams.push(listener.accept().await.unwrap().0);
    }
    would_keep(&mut streams[0]);
    drop(pool);
    pools.sweep();
    let mut byte = [0];
    assert!(upstreams[0].read(&mut byte).now_or_never().is_none(), "the other connection is in use");
    would_keep(&mut streams[1]);
    drop(streams);
    for mut upstream in upstreams {
        assert_eq!(upstream.read(&mut byte).await.unwrap(), 0);
    }
}

#[tokio::test]
async fn a_silent_upstream_is_told_from_a_client_that_takes_nothing() {
    let world = World::new(0, Duration::from_millis(50)).await;
    let (mut stream, dial) = world.connect().await;
    let _upstream = world.accept().await;
    let error = stream.read(&mut [0; 100][..]).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
    assert!(dial.flow().unwrap().was_silent());

    let (mut stream, dial) = world.connect().await;
    let mut upstream = world.accept().await;
    answer(&mut upstream, HEAD).await;
    let (mut read, mut buffer) = (0, vec![0; 64 << 10]);
    while read <= 2 * LEAST {
        // After the time of the upstream it goes on in small pieces.
        let piece = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        read += piece.expect("more comes").unwrap();
    }
    assert!(!dial.flow().unwrap().was_silent());
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut_off_when_there_is_need_to_hurry() {
    let world = World::new(0, Duration::from_secs(60)).await;
    let (mut stream, _) = world.connect().await;
    let mut upstream = world.accept().await;
    answer(&mut upstream, HEAD).await;
    let cut = || world.client.is_cut(&std::task::Context::from_waker(std::task::Waker::noop()));
    drain(&mut stream).await;
    assert!(!cut());
    world.pressure.of_memory(85);
    // It is looked at once a second.
    let _ = tokio::time::timeout(Duration::from_secs(3), stream.read(&mut [0; 100][..])).await;
    assert!(cut());
}
