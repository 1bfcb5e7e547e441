//! A request through its guests, one after the other.

use std::sync::{Arc, Mutex, PoisonError};

use tollgate_filter_api::{Body, Bytes, Call, Cx, Fault, Flow, Views};
use tollgate_proxy_wasm::{Broken, LocalAnswer, Next, Taken, Vm};

use crate::{
    config::BodyMode,
    faults::{answer, busy, fault},
    filter::Wasm,
    guests::{Guest, Stage},
};

/// Bytes from which on a body is handed to a guest on a thread that serves no requests.
const LARGE: usize = 1 << 20;

impl Wasm {
    /// Runs every guest, until one ends the request.
    pub(crate) async fn run_request(&self, mut cx: Cx<'_, Self>) -> Result<Flow, Fault> {
        cx.state.0.reserve_exact(self.stages.len());
        for stage in &self.stages {
            let vm = self.take(stage)?;
            cx.state.0.push(Guest { vm: Some(vm), ..Guest::default() });
            let last = cx.state.0.len() - 1;
            match self.one_request(stage, last, &mut cx).await {
                Ok(None) => {}
                Ok(Some(local)) => {
                    let status = local.status;
                    self.end(&mut cx.state.0, status);
                    return Ok(Flow::Stop(answer(local)));
                }
                Err(fault) => {
                    self.broken.inc();
                    cx.state.0[last].vm = None;
                    self.end(&mut cx.state.0, 503);
                    return Err(fault);
                }
            }
        }
        Ok(Flow::Next(()))
    }

    fn take(&self, stage: &Stage) -> Result<Box<Vm>, Fault> {
        match stage.program().take() {
            Taken::Vm(vm) => Ok(vm),
            Taken::Busy => {
                self.busy.inc();
                Err(busy(&stage.program().title()))
            }
            Taken::Broken(broken) => {
                self.broken.inc();
                Err(fault(&broken))
            }
        }
    }

    async fn one_request(&self, stage: &Stage, at: usize, cx: &mut Cx<'_, Self>) -> Result<Option<LocalAnswer>, Fault> {
        let guest = &mut cx.state.0[at];
        let broken = |broken: Broken| fault(&broken);
        let call = Call { forwarded: None, ..cx.call.clone() };
        let has_body = call.has_body;
        guest.vm()?.begin(call).map_err(broken)?;
        guest.request.wanted = stage.request_body == BodyMode::Stream && has_body && cx.body.is_none();
        guest.vm()?.swap_request(cx.req);
        let body = cx.body.as_deref_mut().filter(|_| stage.request_body != BodyMode::None && has_body);
        let ended = if stage.requests { self.talk(guest, body, has_body, cx.call, cx.views).await } else { Ok(None) };
        // A guest that is away took the head along; the request ends then.
        let vm = guest.vm()?;
        if stage.answers {
            vm.keep_request();
        }
        vm.allow_calls(false);
        vm.swap_request(cx.req);
        ended
    }

    /// Head, then body, with the calls that the guest makes in between.
    async fn talk(
        &self,
        guest: &mut Guest,
        body: Option<&mut Body>,
        has_body: bool,
        call: &Call,
        views: &mut Views,
    ) -> Result<Option<LocalAnswer>, Fault> {
        let vm = guest.vm()?;
        vm.allow_calls(true);
        let next = vm.request_head(!has_body).map_err(|broken| fault(&broken))?;
        let more = body.is_some() || guest.request.wanted;
        if let Some(local) = self.settle(guest, next, more, call, views).await? {
            return Ok(Some(local));
        }
        let Some(body) = body else { return Ok(None) };
        self.whole_body(guest, body, call, views).await
    }

    /// A body that is there whole.
    pub(crate) async fn whole_body(
        &self,
        guest: &mut Guest,
        body: &mut Body,
        call: &Call,
        views: &mut Views,
    ) -> Result<Option<LocalAnswer>, Fault> {
        let next = self.show(guest, body.bytes().clone()).await?;
        // While the guest waits for a call it may still write the body.
        let local = self.settle(guest, next, false, call, views).await?;
        let (bytes, is_changed) = guest.vm()?.take_body();
        if is_changed {
            body.replace(bytes);
        }
        Ok(local)
    }

    /// Shows a guest a whole body, a large one on a thread that serves no requests when one is free.
    async fn show(&self, guest: &mut Guest, bytes: Bytes) -> Result<Next, Fault> {
        let away = || Fault::new("wasm.trap", "the guest was lost on another thread");
        if bytes.len() < LARGE {
            return guest.vm()?.body(bytes, true).map_err(|broken| fault(&broken));
        }
        // The guest waits where it is found again when nobody has time for it.
        let place = Arc::new(Mutex::new(guest.vm.take()));
        let (theirs, shown) = (place.clone(), bytes.clone());
        let work = move || {
            // Kept out of the lock, so that a panic loses the guest and nothing else.
            let mut vm = theirs.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            let next = vm.body(shown, true);
            Some((vm, next))
        };
        let (vm, next) = match self.env.beside(work).await.flatten() {
            Some((vm, next)) => (Some(vm), Some(next)),
            None => (place.lock().unwrap_or_else(PoisonError::into_inner).take(), None),
        };
        guest.vm = vm;
        let vm = guest.vm.as_deref_mut().ok_or_else(away)?;
        next.unwrap_or_else(|| vm.body(bytes, true)).map_err(|broken| fault(&broken))
    }

    /// Makes the guest's calls until it lets the message go on, or waits for the rest of it, or answers.
    pub(crate) async fn settle(
        &self,
        guest: &mut Guest,
        mut next: Next,
        more: bool,
        call: &Call,
        views: &mut Views,
    ) -> Result<Option<LocalAnswer>, Fault> {
        loop {
            let vm = guest.vm()?;
            let waits = match next {
                Next::Answer(local) => return Ok(Some(local)),
                Next::Wait => true,
                Next::Go => false,
            };
            let calls = vm.take_calls();
            if calls.is_empty() {
                let nothing = "no call is under way, and no more of the message comes to it";
                return if waits && !more { Err(fault(&vm.waits_for_nothing(nothing))) } else { Ok(None) };
            }
            // The last word counts.
            next = if waits { Next::Wait } else { Next::Go };
            for (id, answer) in self.calls.make(calls, views, call.instant).await? {
                next = guest.vm()?.call_answer(id, answer).map_err(|broken| fault(&broken))?;
                if matches!(next, Next::Answer(_)) {
                    break;
                }
            }
        }
    }

    /// Gives every guest back that is well.
    pub(crate) fn end(&self, guests: &mut Vec<Guest>, status: u16) {
        for (guest, stage) in guests.drain(..).zip(&self.stages) {
            let Some(vm) = guest.vm else { continue };
            if let Err(broken) = stage.program().give(vm, status) {
                self.broken.inc();
                if let Some(others) = self.ends.allow(self.env.clock.instant()) {
                    log::warn!("{broken}; {others} more since the last such line");
                }
            }
        }
    }
}
