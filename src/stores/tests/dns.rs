use super::*;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A resolver whose answer to look-up `n`, counted from 0, is `answer(n)`; and the number of look-ups.
fn resolver(refresh: Duration, answer: impl Fn(usize) -> io::Result<Vec<u8>> + Send + Sync + 'static) -> (Arc<Resolver>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let look_up: LookUpFn = Arc::new(move |_, port| {
        let answer = answer(count.fetch_add(1, Ordering::Relaxed));
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(answer?.into_iter().map(|last| SocketAddr::from(([10, 0, 0, last], port))).collect())
        })
    });
    let resolver = Resolver { refresh, look_up, metrics: Metrics::default(), names: Registry::default() };
    (Arc::new(resolver), asked)
}

#[tokio::test]
async fn a_literal_address_needs_no_look_up() {
    let (resolver, asked) = resolver(Duration::from_secs(1), |_| Ok(vec![]));
    for (host, wanted) in [("127.0.0.1", "127.0.0.1:80"), ("[::1]", "[::1]:80"), ("::1", "[::1]:80")] {
        let name = resolver.name(host, 80);
        assert_eq!(name.peek().unwrap().to_vec(), [wanted.parse().unwrap()]);
        assert_eq!(name.get().await.unwrap().len(), 1);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn those_who_wait_for_the_first_answer_share_one_look_up() {
    let (resolver, asked) = resolver(Duration::from_secs(60), |_| Ok(vec![1, 2, 1]));
    let name = resolver.name("Upstream.Example", 8080);
    assert!(name.peek().is_none() && name.pick(0).is_none());
    let (a, b, c) = tokio::join!(name.get(), name.get(), name.get());
    assert_eq!(a.unwrap().len(), 2);
    assert!(b.is_ok() && c.is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    assert_eq!(name.pick(3), Some("10.0.0.2:8080".parse().unwrap()));
    assert!(Arc::ptr_eq(&name, &resolver.name("upstream.example", 8080)));
}

#[tokio::test(start_paused = true)]
async fn a_dead_name_is_asked_for_once_a_second_however_many_want_it() {
    let (resolver, asked) = resolver(Duration::from_secs(60), |_| Err(io::Error::other("no such name")));
    let name = resolver.name("gone.example", 80);
    for _ in 0..50 {
        let error = name.get().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot resolve gone.example: no such name");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    tokio::time::advance(RETRY).await;
    assert!(name.get().await.is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_refreshed_in_the_background_and_kept_when_a_look_up_fails() {
    let (resolver, asked) = resolver(Duration::from_secs(30), |n| match n {
        0 => Ok(vec![1]),
        1 => Ok(vec![2]),
        2 => Ok(vec![]),
        _ => Err(io::Error::other("down")),
    });
    let name = resolver.name("upstream.example", 80);
    let background = tokio::spawn(resolver.clone().run(std::future::pending()));
    while asked.load(Ordering::Relaxed) < 5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if asked.load(Ordering::Relaxed) == 1 {
            assert_eq!(name.pick(0), Some("10.0.0.1:80".parse().unwrap()));
        }
    }
    assert_eq!(name.pick(0), Some("10.0.0.2:80".parse().unwrap()));
    background.abort();
}

#[tokio::test]
async fn the_machine_knows_itself() {
    let resolver = Resolver::new(Duration::from_secs(60), Metrics::default());
    let addresses = resolver.name("localhost", 443).get().await.unwrap();
    assert!(addresses.iter().all(|address| address.ip().is_loopback() && address.port() == 443));
}
