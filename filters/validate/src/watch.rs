//! Copies of bodies that are only watched.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tollgate_filter_api::Bytes;

/// Bytes that all copies of the process may have.
const ALL: usize = 32 << 20;

/// What copies have taken.
#[derive(Debug, Default)]
pub struct Room(AtomicUsize);

/// A copy in the making.
#[derive(Debug)]
pub struct Copy {
    bytes: Vec<u8>,
    limit: usize,
    room: Arc<Room>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Growing,
    Whole,
    /// It is too long, or there is no room for it.
    GivenUp,
}

impl Copy {
    pub fn new(limit: usize, room: &Arc<Room>) -> Self {
        Self { bytes: Vec::new(), limit, room: room.clone(), state: State::Growing }
    }

    /// Begins anew.
    pub fn begin(&mut self) {
        self.give_back();
        self.state = State::Growing;
    }

    pub fn see(&mut self, piece: Option<&Bytes>, end: bool) {
        if self.state != State::Growing {
            return;
        }
        let piece = piece.map_or(&[][..], |piece| piece);
        if self.bytes.len() + piece.len() > self.limit || !self.room.take(piece.len()) {
            self.give_back();
            self.state = State::GivenUp;
            return;
        }
        self.bytes.extend_from_slice(piece);
        if end {
            self.state = State::Whole;
        }
    }

    /// All of it; `None` when it did not end, or was not kept.
    pub fn whole(&self) -> Option<&[u8]> {
        (self.state == State::Whole).then_some(&self.bytes)
    }

    /// Whether it was not kept.
    pub fn is_given_up(&self) -> bool {
        self.state == State::GivenUp
    }

    fn give_back(&mut self) {
        self.room.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
        self.bytes = Vec::new();
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        self.give_back();
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let taken = self.0.fetch_add(bytes, Ordering::Relaxed) + bytes <= ALL;
        if !taken {
            self.0.fetch_sub(bytes, Ordering::Relaxed);
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_whole_when_it_ended_and_within_its_limit() {
        let room = Arc::new(Room::default());
        let mut copy = Copy::new(4, &room);
        copy.see(Some(&Bytes::from_static(b"ab")), false);
        assert_eq!(copy.whole(), None);
        copy.begin();
        copy.see(Some(&Bytes::from_static(b"abcd")), false);
        copy.see(None, true);
        assert_eq!(copy.whole(), Some(&b"abcd"[..]));
        copy.begin();
        copy.see(Some(&Bytes::from_static(b"abcde")), true);
        assert!(copy.is_given_up() && copy.whole().is_none());
        drop(copy);
        assert_eq!(room.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn all_copies_share_one_room() {
        let room = Arc::new(Room::default());
        let piece = Bytes::from(vec![0; ALL / 2 + 1]);
        let (mut first, mut second) = (Copy::new(ALL, &room), Copy::new(ALL, &room));
        first.see(Some(&piece), true);
        second.see(Some(&piece), true);
        assert!(first.whole().is_some() && second.is_given_up());
        drop(first);
        second.begin();
        second.see(Some(&piece), true);
        assert!(second.whole().is_some());
    }
}
