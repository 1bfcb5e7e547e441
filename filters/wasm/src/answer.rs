//! An answer through its guests, in reverse order.

use tollgate_filter_api::{Answer, AnswerCx, Fault, Flow, ResponseCx, StatusCode};
use tollgate_proxy_wasm::Next;

use crate::{
    config::BodyMode,
    faults::{answer, fault},
    filter::Wasm,
    guests::{Guest, Pieces, Seen, Stage},
};

const NOT_HELD: &str = "the head of this answer is not held; `response_body: whole` holds it";

impl Wasm {
    /// An answer that is there whole.
    pub(crate) async fn run_answer(&self, mut cx: AnswerCx<'_, Self>) -> Result<Flow, Fault> {
        for (at, stage) in self.stages.iter().enumerate().rev() {
            if !stage.answers || stage.response_body == BodyMode::None {
                continue;
            }
            let Some(mut guest) = cx.state.0.get_mut(at).map(std::mem::take) else { continue };
            let ended = self.one_answer(&mut guest, &mut cx).await;
            if ended.is_err() {
                self.broken.inc();
                guest.vm = None;
            }
            cx.state.0[at] = guest;
            if let Some(local) = ended? {
                return Ok(Flow::Stop(local));
            }
        }
        Ok(Flow::Next(()))
    }

    async fn one_answer(&self, guest: &mut Guest, cx: &mut AnswerCx<'_, Self>) -> Result<Option<Answer>, Fault> {
        guest.seen = Seen::Whole;
        let vm = guest.vm()?;
        vm.allow_calls(true);
        vm.swap_response(cx.head);
        let ended = self.answer_talk(guest, cx).await;
        let vm = guest.vm()?;
        vm.allow_calls(false);
        vm.swap_response(cx.head);
        if let Some(status) = vm.take_status() {
            cx.head.set_status(status).map_err(|why| Fault::new("wasm.refused", why.to_string()))?;
        }
        Ok(ended?.map(answer))
    }

    async fn answer_talk(&self, guest: &mut Guest, cx: &mut AnswerCx<'_, Self>) -> Result<Option<tollgate_proxy_wasm::LocalAnswer>, Fault> {
        let ends = cx.body.is_empty();
        let next = guest.vm()?.response_head(ends).map_err(|broken| fault(&broken))?;
        if let Some(local) = self.settle(guest, next, !ends, cx.call, cx.views).await? {
            return Ok(Some(local));
        }
        if ends { Ok(None) } else { self.whole_body(guest, cx.body, cx.call, cx.views).await }
    }

    /// The head of an answer, whose body streams.
    pub(crate) fn run_response(&self, cx: &mut ResponseCx<'_, Self>) -> Result<(), Fault> {
        for (at, stage) in self.stages.iter().enumerate().rev().filter(|(_, stage)| stage.answers) {
            let Some(guest) = cx.state.0.get_mut(at) else { continue };
            // One that broke has had its say; the gateway answers for it.
            if guest.vm.is_none() {
                continue;
            }
            match guest.seen {
                Seen::No => {
                    if let Err(fault) = self.one_response(stage, at, cx) {
                        self.broken.inc();
                        cx.state.0[at].vm = None;
                        return Err(fault);
                    }
                }
                // The head that it has seen with the body.
                Seen::Whole if cx.is_upstreams => guest.seen = Seen::Head,
                Seen::Whole | Seen::Head => guest.vm()?.repeat_changes(cx.resp),
            }
        }
        Ok(())
    }

    fn one_response(&self, stage: &Stage, at: usize, cx: &mut ResponseCx<'_, Self>) -> Result<(), Fault> {
        let guest = &mut cx.state.0[at];
        guest.seen = Seen::Head;
        let wanted = stage.response_body == BodyMode::Stream && cx.is_upstreams && self.streams(cx.resp);
        guest.answer = Pieces { wanted, ..Pieces::default() };
        let vm = guest.vm()?;
        vm.swap_response(cx.resp);
        let next = vm.response_head(false);
        vm.swap_response(cx.resp);
        if let Some(status) = vm.take_status() {
            let refused = |why| Fault::new("wasm.refused", format!("{}: {why}", stage.program().title()));
            cx.resp.set_status(status).map_err(refused)?;
        }
        match next.map_err(|broken| fault(&broken))? {
            Next::Go => Ok(()),
            // It may hold the body back, piece by piece, but not the head.
            Next::Wait => Err(fault(&vm.waits_for_nothing(NOT_HELD))),
            Next::Answer(_) => Err(fault(&vm.answers_too_late(NOT_HELD))),
        }
    }

    /// Whether the body of an answer is handed to guests piece by piece.
    fn streams(&self, head: &tollgate_filter_api::ResponseHead) -> bool {
        let status = StatusCode::from_u16(head.status()).unwrap_or_default();
        let media_type = head.get(&http::header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        self.answers.covers(status, media_type)
    }
}
