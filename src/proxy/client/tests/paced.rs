use std::{net::IpAddr, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{advance, timeout},
};
use tollgate_filter_api::{NoCertificate, Peer};

use super::{BODY_GRACE, Connection, Deadlines, PacedStream, Phase, boxed};
use crate::{
    proxy::{client::connection::digest_of, server::pressure::Pressure},
    telemetry::{LimitCounters, Telemetry},
};

const HEADER: Duration = Duration::from_secs(10);
const IDLE: Duration = Duration::from_secs(60);
const WRITE: Duration = Duration::from_secs(30);
const SECOND: Duration = Duration::from_secs(1);

/// A stream whose other end is the client's.
struct Wire {
    client: DuplexStream,
    stream: PacedStream,
    connection: Arc<Connection>,
    counters: LimitCounters,
}

fn calm() -> Arc<Pressure> {
    Arc::new(Pressure::default())
}

fn wire(multiplexed: bool) -> Wire {
    let (client, server) = duplex(1024);
    let connection = Connection::new(IpAddr::from([192, 0, 2, 1]), false, Peer::Anonymous(NoCertificate::Plain), None, false);
    let connection = Arc::new(connection);
    if multiplexed {
        connection.multiplexed(u32::MAX);
    }
    let counters = Telemetry::new([]).limits;
    let counted = Arc::new(counters.clone());
    let deadlines =
        Deadlines { header: HEADER, body_pace: 100, idle: IDLE, write: WRITE, pressure: calm(), control_frames: 100, counters: counted };
    let digest = digest_of(&connection).unwrap();
    Wire { client, stream: PacedStream::new(boxed(server), connection.clone(), digest, deadlines), connection, counters }
}

impl Wire {
    async fn send(&mut self, bytes: &[u8]) {
        self.client.write_all(bytes).await.unwrap();
        self.stream.read_exact(&mut vec![0; bytes.len()]).await.unwrap();
    }

    /// Whether nothing happens for so long while more is awaited.
    async fn waits(&mut self, time: Duration) -> bool {
        timeout(time, self.stream.read_u8()).await.is_err()
    }
}

#[tokio::test(start_paused = true)]
async fn a_header_that_drips_is_cut_at_its_total_time() {
    let mut wire = wire(false);
    for _ in 0..9 {
        wire.send(b"x").await;
        advance(SECOND).await;
    }
    assert!(wire.waits(SECOND - Duration::from_millis(10)).await);
    assert!(!wire.waits(SECOND).await);
    assert_eq!(wire.counters.header_time.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_idle_for_its_time_and_no_longer() {
    let mut wire = wire(false);
    assert!(wire.waits(IDLE - SECOND).await);
    assert!(!wire.waits(SECOND * 2).await);
    assert_eq!((wire.counters.idle_time.get(), wire.counters.header_time.get()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn each_wait_for_a_request_has_the_whole_idle_time() {
    let mut wire = wire(false);
    for _ in 0..3 {
        assert!(wire.waits(IDLE - SECOND).await);
        wire.send(b"GET / HTTP/1.1\r\n\r\n").await;
        wire.connection.expect(Phase::Free);
        assert!(wire.waits(IDLE * 2).await);
        wire.connection.expect(Phase::Header);
    }
    assert!(wire.waits(IDLE - SECOND).await);
    assert!(!wire.waits(SECOND * 2).await);
    assert_eq!(wire.counters.idle_time.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_second_header_has_its_own_time_though_nothing_was_read_between() {
    let mut wire = wire(false);
    wire.send(b"GET / HTTP/1.1\r\n\r\n").await;
    wire.connection.expect(Phase::Free);
    wire.connection.expect(Phase::Header);
    assert!(wire.waits(HEADER * 3).await);
    assert!(HEADER * 3 < IDLE);
    wire.send(b"G").await;
    assert!(!wire.waits(HEADER * 2).await);
}

#[tokio::test(start_paused = true)]
async fn a_body_must_keep_its_pace_after_the_grace() {
    let mut wire = wire(false);
    wire.connection.expect(Phase::Body);
    wire.send(&[0; 500]).await;
    assert!(wire.waits(BODY_GRACE + SECOND * 4).await);
    assert!(!wire.waits(SECOND * 2).await);
    assert_eq!(wire.counters.body_pace.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_nobody_reads_is_not_slow() {
    let mut wire = wire(false);
    wire.connection.expect(Phase::Body);
    wire.send(&[0; 100]).await;
    advance(BODY_GRACE * 10).await;
    wire.send(&[0; 100]).await;
    assert!(wire.waits(BODY_GRACE).await);
    assert_eq!(wire.counters.body_pace.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_the_body_the_client_may_be_silent() {
    let mut wire = wire(false);
    wire.connection.expect(Phase::Body);
    wire.send(&[0; 10]).await;
    wire.connection.expect(Phase::Free);
    assert!(wire.waits(BODY_GRACE * 100).await);
}

#[tokio::test(start_paused = true)]
async fn http2_owes_its_preface_in_the_time_of_a_header_and_then_nothing() {
    let mut silent = wire(true);
    assert!(!silent.waits(HEADER + SECOND).await);
    let mut spoken = wire(true);
    spoken.send(&[0; 24]).await;
    assert!(spoken.waits(HEADER * 100).await);
}

#[tokio::test(start_paused = true)]
async fn head_and_body_of_a_short_answer_leave_in_one_piece() {
    let mut wire = wire(false);
    wire.stream.write_all(b"head").await.unwrap();
    wire.stream.write_all(b"body").await.unwrap();
    assert!(timeout(SECOND, wire.client.read_u8()).await.is_err(), "a part was sent by itself");
    wire.stream.flush().await.unwrap();
    let mut got = [0; 16];
    assert_eq!(wire.client.read(&mut got).await.unwrap(), 8);
}

#[tokio::test]
async fn what_was_written_is_sent_before_the_connection_ends() {
    let mut wire = wire(false);
    wire.stream.write_all(b"last").await.unwrap();
    pingora::protocols::Shutdown::shutdown(&mut wire.stream).await;
    let mut got = [0; 16];
    assert_eq!(wire.client.read(&mut got).await.unwrap(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_cut_off_and_one_that_takes_a_little_is_not() {
    let mut wire = wire(false);
    let answer = vec![b'x'; 64 << 10];
    for _ in 0..3 {
        assert!(timeout(WRITE - SECOND, wire.stream.write_all(&answer)).await.is_err(), "nobody reads, and it was written");
        wire.client.read_exact(&mut [0; 1024]).await.unwrap();
    }
    assert_eq!(wire.counters.write_time.get(), 0);
    let cut = timeout(WRITE + SECOND, wire.stream.write_all(&answer)).await.expect("it is cut off in time");
    assert_eq!(cut.unwrap_err().kind(), std::io::ErrorKind::TimedOut);
    assert_eq!(wire.counters.write_time.get(), 1);
}
