//! Bodies piece by piece.

use tollgate_filter_api::{Bytes, Fault};
use tollgate_proxy_wasm::Next;

use crate::{
    faults::fault,
    filter::Wasm,
    guests::{Guest, Pieces},
};

/// Which body.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Request,
    Answer,
}

impl Guest {
    fn pieces(&mut self, way: Way) -> &mut Pieces {
        if way == Way::Request { &mut self.request } else { &mut self.answer }
    }
}

impl Wasm {
    /// A piece through all guests that want it.
    pub(crate) fn piece(&self, guests: &mut [Guest], way: Way, body: &mut Option<Bytes>, end: bool) -> Result<(), Fault> {
        let count = guests.len();
        for nth in 0..count {
            let at = if way == Way::Request { nth } else { count - 1 - nth };
            let guest = &mut guests[at];
            if !guest.pieces(way).wanted {
                continue;
            }
            if let Err(fault) = self.one_piece(guest, way, body, end) {
                self.broken.inc();
                guest.vm = None;
                return Err(fault);
            }
        }
        Ok(())
    }

    fn one_piece(&self, guest: &mut Guest, way: Way, body: &mut Option<Bytes>, end: bool) -> Result<(), Fault> {
        let pieces = guest.pieces(way);
        pieces.began = true;
        let held = std::mem::take(&mut pieces.held);
        let new = body.take().unwrap_or_default();
        let shown: Bytes = if held.is_empty() { new } else { [held, new].concat().into() };
        let vm = guest.vm()?;
        let next = vm.piece(shown, end).map_err(|broken| fault(&broken))?;
        let (left, _) = vm.take_body();
        match next {
            Next::Go => *body = Some(left),
            Next::Wait if end => return Err(fault(&vm.waits_for_nothing("the body is over"))),
            Next::Wait if left.len() > self.most_body => {
                return Err(Fault::new("wasm.held", format!("a guest holds back more than `limits.body`, {} bytes", self.most_body)));
            }
            Next::Wait => {
                guest.pieces(way).held = left;
                *body = Some(Bytes::new());
            }
            Next::Answer(_) => return Err(fault(&vm.answers_too_late("the head has gone"))),
        }
        Ok(())
    }
}
