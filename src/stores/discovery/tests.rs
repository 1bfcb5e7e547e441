use std::sync::Mutex;

use super::{directory::By, *};
use crate::config::{Absence, Place};

/// Notes how often it was supplied.
struct Noted {
    sources: Vec<Source>,
    supplied: Mutex<usize>,
}

impl Noted {
    fn of(prefix: &str) -> Arc<Self> {
        let source = Source { place: Place::Prefix(prefix.to_owned()), absence: Absence::Keep };
        Arc::new(Self { sources: vec![source], supplied: Mutex::default() })
    }

    fn supplied(&self) -> usize {
        std::mem::take(&mut *self.supplied.lock().unwrap())
    }
}

impl Consumer for Noted {
    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn supply(&self, _: &Directory) -> bool {
        *self.supplied.lock().unwrap() += 1;
        true
    }
}

fn put(discovery: &Discovery, key: &str) {
    let entry = Entry { url: format!("http://{key}.example"), weight: 1, zone: None, priority: 0 };
    discovery.directory.put(Key::Etcd(format!("/{key}/1").into()), Arc::from([entry]), By::Etcd);
}

#[test]
fn those_in_force_are_told_of_their_own_changes_and_once_of_all_when_they_come_into_force() {
    let discovery = Discovery::new(&Metrics::default());
    let [pets, dogs, next] = ["/pets/", "/dogs/", "/pets/"].map(Noted::of);
    discovery.serve(&[pets.clone(), dogs.clone()], &Lookup::default());
    discovery.hand_out();
    assert_eq!((pets.supplied(), dogs.supplied()), (1, 1));
    put(&discovery, "pets");
    discovery.hand_out();
    assert_eq!((pets.supplied(), dogs.supplied()), (1, 0));
    put(&discovery, "pets");
    discovery.hand_out();
    assert_eq!((pets.supplied(), dogs.supplied()), (0, 0), "the same again");

    // What the next ones did not see while they were built was told to the old ones alone.
    put(&discovery, "dogs");
    discovery.hand_out();
    let in_force: [Arc<dyn Consumer>; 1] = [next.clone()];
    discovery.serve(&in_force, &Lookup::default());
    discovery.hand_out();
    assert_eq!((pets.supplied(), dogs.supplied(), next.supplied()), (0, 1, 1));
}

#[tokio::test]
async fn one_who_fails_is_tried_again_and_keeps_no_change_from_others() {
    struct Failing(Arc<Noted>);
    impl Consumer for Failing {
        fn sources(&self) -> &[Source] {
            &self.0.sources
        }
        fn supply(&self, directory: &Directory) -> bool {
            assert!(self.0.supply(directory) && *self.0.supplied.lock().unwrap() > 1, "not at first");
            true
        }
    }
    let discovery = Discovery::new(&Metrics::default());
    let [first, second] = ["/pets/", "/pets/"].map(Noted::of);
    discovery.serve(&[Arc::new(Failing(first.clone())), second.clone()], &Lookup::default());
    let told = async {
        while *second.supplied.lock().unwrap() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = discovery.clone().distribute() => unreachable!("it goes on for ever"),
        told = tokio::time::timeout(Duration::from_secs(30), told) => told.unwrap(),
    }
    assert!(first.supplied() >= 2);
}
