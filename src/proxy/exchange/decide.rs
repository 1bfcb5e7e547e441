//! Between the engine and the [`decision`](crate::judge): the facts go in, the body when a filter wants it; the answer comes
//! back, and what is to be counted and logged of it.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use pingora::{http::RequestHeader, proxy::Session};
use tollgate_filter_api::{Answer, Moment, Principal, RequestHead, Views};

use super::{
    bodies::whole_body::{self, Most},
    state::{Arrival, Course, Exchange, Outbound},
};
use crate::{
    judge::{Admitted, Case, Facts, Http1, Place, Refusal, Step, admit},
    proxy::{
        client::tls::listener::Lapsed,
        running::{
            gateway::Gateway,
            snapshot::{Kernel, Snapshot},
        },
        transport::upstream_peer::UpstreamPeer,
    },
    upstreams::{Asking, Choice, Group},
};

/// Has a request judged, which then may go to the endpoints that its group has now, and sees to what is said beside the answer.
///
/// # Errors
/// The answer that ends it.
pub async fn decide(gateway: &Gateway, session: &mut Session, exchange: &mut Exchange) -> Result<(), Answer> {
    let Some(arrival) = &mut exchange.arrival else {
        return Err(admit::misframed("nobody has read the message but the engine"));
    };
    let (connection, snapshot) = (&arrival.connection, &arrival.snapshot);
    let raw = session.as_downstream().as_http1().map(|http1| http1.get_headers_raw_bytes());
    let http1 = raw.as_deref().map(|head| Http1 { head, head_bytes: connection.head_bytes(), framing: connection.framing() });
    let facts = Facts {
        moment: Moment { wall: exchange.time, instant: exchange.begun },
        number: exchange.id.value,
        address: connection.address,
        secure: connection.secure,
        peer: snapshot.peer(connection, &session.req_header().headers).map_err(|Lapsed(why)| why),
        server_name: connection.server_name.as_deref(),
        strict_host: connection.strict_host && !snapshot.is_balancer(connection),
        last_host: Some(&connection.last_host),
        http1,
        has_body: !session.is_body_empty(),
    };
    let mut case = Case::new(&snapshot.judge, facts, Views::serving());
    let ended = loop {
        match case.judge(session.req_header_mut(), exchange.body.as_mut()).await {
            Step::Done(ended) => break ended,
            Step::NeedBody(limit) => match read_body(gateway, session, limit, (snapshot, case.place())).await {
                Ok(read) => {
                    exchange.body_in = read.len() as u64;
                    exchange.body = Some(read.into());
                }
                Err(answer) => break Err(answer.into()),
            },
        }
    };
    let (routing, admitted) = case.into_parts();
    exchange.id = routing.id;
    let outbound = ended.as_ref().ok().map(|group| {
        let group = snapshot.upstreams.group(*group);
        match &admitted {
            Some(admitted) if !group.is_plain() => {
                personal(group, session.req_header(), admitted, exchange.begun, exchange.id.value as u64)
            }
            _ => Outbound::new(group.select(Choice::at(exchange.begun))),
        }
    });
    (arrival.routing, arrival.course) = (routing, admitted.map(|admitted| Course { admitted, outbound }));
    ended.map(drop).map_err(|refusal| answer(&gateway.kernel, arrival, refusal))
}

/// The way of a request for which it matters what it brings along: its key or cookie, a header for the canary, its number.
fn personal(group: &Arc<Group<UpstreamPeer>>, head: &RequestHeader, admitted: &Admitted, now: Instant, number: u64) -> Outbound {
    let principal = admitted.run.facts.get::<Principal>();
    let claims = principal.map(|principal| &principal.claims);
    let choice = group.choice(&Asking { now, head: RequestHead::wrap(head), claims, client: Some(admitted.call.client) });
    let taken = group.divert(&head.headers, &choice, number);
    Outbound { mirror: group.mirrored(number).cloned(), ..Outbound::new(taken.select(choice)) }
}

/// Counts and logs what is said beside an answer.
fn answer(kernel: &Kernel, arrival: &Arrival, Refusal { answer, limit, fault }: Refusal) -> Answer {
    limit.into_iter().for_each(|limit| limit(&kernel.telemetry.limits).inc());
    if let Some(fault) = fault {
        arrival.log_fault(&fault, kernel.env.clock.instant());
    }
    *answer
}

async fn read_body(gateway: &Gateway, session: &mut Session, limit: usize, of: (&Snapshot, Place)) -> Result<Bytes, Answer> {
    let (snapshot, place) = of;
    let counters = &gateway.kernel.telemetry.limits;
    let pace = snapshot.config().gateway.limits.body_pace.0;
    let of_operation = usize::try_from(snapshot.body_limit(place)).unwrap_or(usize::MAX);
    let most = Most { bytes: limit.min(of_operation), of_filter: limit < of_operation };
    whole_body::read(session, most, pace, counters).await
}
