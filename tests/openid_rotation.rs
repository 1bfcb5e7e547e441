//! Real providers change their signing keys while requests flow: no good token is called a bad one, and no key outlives its removal.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use tollgate_tests::{
    Client,
    jwk::SigningKey,
    parts::openid::{API, APP, OpenId},
    until,
};

use crate::openid::{World, with_each_provider};

with_each_provider! { keys_change_under_load, }

/// Clients that send tokens at the same time.
const CLIENTS: usize = 2;
/// What leaves others some of the machine.
const PACE: Duration = Duration::from_millis(2);

/// Clients that send the tokens of the moment without a pause.
#[derive(Clone, Default)]
struct Load {
    /// Counts up with each change.
    tokens: Arc<Mutex<(usize, Vec<String>)>>,
    /// Which tokens each client sent last, all of them once.
    sent: Arc<[AtomicUsize; CLIENTS]>,
    ended: Arc<AtomicBool>,
    passed: Arc<AtomicUsize>,
    /// Asked to come again.
    put_off: Arc<AtomicUsize>,
    /// Whatever else was answered, to a good token.
    wrong: Arc<Mutex<Vec<String>>>,
}

impl Load {
    fn run(&self, number: usize, port: u16) {
        let (mut client, mut rounds) = (Client::connect(port), 0);
        while !self.ended.load(Ordering::SeqCst) {
            let (round, tokens) = self.tokens.lock().unwrap().clone();
            for token in tokens {
                let answer = client.ask("GET", "/a/read", &[&format!("Authorization: Bearer {token}")], b"").unwrap();
                match (answer.status(), answer.field("retry-after")) {
                    (200, _) => _ = self.passed.fetch_add(1, Ordering::SeqCst),
                    (503, Some(_)) => _ = self.put_off.fetch_add(1, Ordering::SeqCst),
                    _ => self.wrong.lock().unwrap().push(format!("{} {}", answer.start, answer.text())),
                }
            }
            self.sent[number].store(round, Ordering::SeqCst);
            // The gateway closes a connection after so many requests.
            rounds += 1;
            if rounds % 1000 == 0 {
                client = Client::connect(port);
            }
            thread::sleep(PACE);
        }
    }

    /// Has only these sent from now on, and waits until every client did.
    fn send(&self, tokens: &[&String]) {
        let round = {
            let mut held = self.tokens.lock().unwrap();
            *held = (held.0 + 1, tokens.iter().map(|token| (*token).clone()).collect());
            held.0
        };
        until("every client to send them", || self.sent.iter().all(|sent| sent.load(Ordering::SeqCst) == round).then_some(()));
    }

    fn put_off(&self) -> usize {
        self.put_off.load(Ordering::SeqCst)
    }
}

fn keys_change_under_load<P: OpenId>() {
    let mut world = World::<P>::guarded(&[API]);
    let first = world.key.clone();
    let (second, third) = (SigningKey::new("RS256", "second"), SigningKey::new("EdDSA", "third"));
    let load = Load::default();
    let port = world.gateway.ports.plain;
    let clients: Vec<_> =
        (0..CLIENTS).map(|number| (number, load.clone())).map(|(number, load)| thread::spawn(move || load.run(number, port))).collect();
    let token = |world: &World<P>| world.provider.server().client_credentials(APP, "read", API);

    let old = token(&world);
    load.send(&[&old]);
    assert_eq!(load.put_off(), 0);

    // The new key signs at once, beside the old one.
    world.provider.publish(&[&second, &first]);
    let new = token(&world);
    load.send(&[&old, &new]);
    until("the second key to be known", || (world.status("/a/read", &new) == 200).then_some(()));
    load.send(&[&new]);
    let put_off = load.put_off();

    // The old one is withdrawn.
    world.provider.publish(&[&second]);
    until("its token to be refused, and not put off", || match world.status("/a/read", &old) {
        401 => Some(()),
        200 => None,
        other => panic!("a token of a key that is gone was answered {other}"),
    });
    load.send(&[&new]);
    assert_eq!(load.put_off(), put_off, "tokens of known keys were put off");

    // Another takes the place of the only one, with nothing in between.
    load.send(&[]);
    world.provider.publish(&[&third]);
    let newest = token(&world);
    load.send(&[&newest]);
    until("the third key to be known", || (world.status("/a/read", &newest) == 200).then_some(()));
    load.send(&[&newest]);

    load.ended.store(true, Ordering::SeqCst);
    clients.into_iter().for_each(|client| client.join().unwrap());
    let (passed, put_off) = (load.passed.load(Ordering::SeqCst), load.put_off());
    println!("{passed} requests passed, {put_off} were put off");
    assert_eq!(*load.wrong.lock().unwrap(), Vec::<String>::new());
}
