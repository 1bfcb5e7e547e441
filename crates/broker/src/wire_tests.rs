use super::*;

/// Frames of three bytes.
fn three(inbox: &mut BytesMut) -> Result<Option<Bytes>, Broken> {
    Ok((inbox.len() >= 3).then(|| inbox.split_to(3).freeze()))
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_says_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let mut wire = Wire::over(ours);
    wire.expect_every(Duration::from_secs(3));
    let began = Instant::now();
    assert!(matches!(wire.next(three).await, Err(Lost::Silent(_))));
    assert_eq!(began.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_takes_nothing_is_given_up() {
    let (ours, _theirs) = tokio::io::duplex(64);
    let mut wire = Wire::over(ours);
    wire.expect_every(Duration::from_secs(3));
    assert!(matches!(wire.send(&[0; 100]).await, Err(Lost::Stuck(_))));
}

#[tokio::test(start_paused = true)]
async fn our_heartbeats_come_in_time_and_only_when_nothing_else_was_said() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut wire = Wire::over(ours);
    wire.expect_every(Duration::from_secs(60));
    wire.beat(b"!", Duration::from_secs(2));
    tokio::time::sleep(Duration::from_secs(1)).await;
    wire.send(b"said").await.unwrap();
    let began = Instant::now();
    let reader = async {
        let mut bytes = [0; 5];
        theirs.read_exact(&mut bytes).await.unwrap();
        (bytes, began.elapsed())
    };
    tokio::select! {
        _ = wire.next(three) => unreachable!("nothing was sent"),
        (bytes, after) = reader => {
            assert_eq!(&bytes, b"said!");
            assert_eq!(after, Duration::from_secs(2));
        }
    }
}

#[tokio::test]
async fn what_is_queued_is_sent_before_anything_is_waited_for() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    let mut wire = Wire::over(ours);
    wire.queue(b"ack").await.unwrap();
    let reader = async {
        let mut bytes = [0; 3];
        theirs.read_exact(&mut bytes).await.unwrap();
        theirs.write_all(b"123").await.unwrap();
        bytes
    };
    let (frame, bytes) = tokio::join!(wire.next(three), reader);
    assert_eq!((&frame.unwrap()[..], &bytes[..]), (&b"123"[..], &b"ack"[..]));
}

#[tokio::test]
async fn an_end_in_the_middle_of_a_frame_is_an_end() {
    let (ours, mut theirs) = tokio::io::duplex(64);
    theirs.write_all(b"12").await.unwrap();
    drop(theirs);
    assert!(matches!(Wire::over(ours).next(three).await, Err(Lost::Closed)));
}
