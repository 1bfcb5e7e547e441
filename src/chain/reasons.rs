//! The ways in which the gateway itself ends a request.

use tollgate_filter_api::Reason;

/// The gateway's own reasons.
pub mod gateway {
    use tollgate_filter_api::{Reason, Reply};

    /// The answer of a synthetic OPTIONS.
    pub static OPTIONS: Reply = Reply::new(
        "route.options",
        204,
        "The methods of this path",
        "OPTIONS on a path that does not declare it; `Allow` lists the methods.",
    );

    macro_rules! reasons {
        ($($name:ident = $kind:ident($($arg:expr),*);)*) => {
            $(#[doc = "See `help`."] pub static $name: Reason = Reason::$kind($($arg),*);)*
            pub(super) static ALL: &[&Reason] = &[OPTIONS.reason(), $(&$name),*];
        };
    }

    reasons! {
        FRAMING = refused("request.framing", 400, 0, "The request's framing is ambiguous", "Content-Length together with Transfer-Encoding, a listed Content-Length, a transfer coding other than chunked, a request line that is not three words, a line that does not end in CR LF, or a chunk or trailer that breaks the grammar of RFC 9112 §7.1. The log says which. The connection is closed.");
        FIELD = refused("request.field", 400, 0, "A header field is not acceptable", "A field name that imitates one the gateway owns or one that frames the message, an underscore for a dash for instance, a control byte in a value or a blank around it, or a `Connection` that names a field which does not belong to the connection.");
        OVERRIDE = refused("request.override", 400, 0, "The request names another method than its own", "`X-HTTP-Method-Override`, `X-HTTP-Method` or `X-Method-Override` differs from the method by which the request was judged, and the upstream may follow it. Send the method itself.");
        LOOP = refused("request.loop", 508, 0, "The request has been here before", "`Via` names this gateway: the request has come back to it from one of its own upstreams. Mend the endpoint; where requests may pass twice, set `forwarding.returns`.");
        FORWARDED = refused("request.forwarded", 400, 0, "Nobody knows who sent the request", "A trusted proxy names a client in `X-Forwarded-For` that has no address, such as `unknown`. The gateway does not take the proxy for the client. Let the proxy write an address.");
        EXPECT = refused("request.expect", 417, 0, "The expectation cannot be met", "Only `Expect: 100-continue` is known.");
        MISDIRECTED = refused("request.misdirected", 421, 0, "The request is for another host than the connection", "The TLS server name and the Host field differ on a listener that asks for client certificates.");
        CERTIFICATE = refused("request.certificate", 401, 900_901, "The client certificate is no longer accepted", "The listener lets nobody in without a certificate, and since the handshake this one was revoked, has expired, or its authority is trusted no longer. The connection is closed.");
        GRPC_TIMEOUT = refused("grpc.timeout", 400, 0, "The call's timeout cannot be read", "`grpc-timeout` of a gRPC call must be one to eight digits and one of `H`, `M`, `S`, `m`, `u` and `n`, once. The call gets INTERNAL (13), as from servers of gRPC.");
        NOT_FOUND = refused("route.not_found", 404, 0, "Nothing is served under this path", "No base path and no route matches. Never forwarded.");
        NO_HOST = refused("route.host", 421, 0, "Nothing is served under this host", "No API and no route has the host of the request, and none is for every host. Never forwarded.");
        NO_RESOURCE = refused("route.no_resource", 404, 0, "The API has no such resource", "The base path matches, no path template does. Never forwarded.");
        METHOD = refused("route.method", 405, 0, "The method is not allowed here", "The path is known, the method is not declared; `Allow` lists those that are.");
        NO_ENDPOINT = refused("endpoint.none", 403, 900_901, "There is no endpoint for this kind of key", "A sandbox key on an operation without sandbox endpoints, or a production key without production endpoints.");
        HEADER_BYTES = refused("limit.header_bytes", 431, 0, "The header is too large", "More bytes of header than `limits.header_bytes`.");
        HEADER_FIELDS = refused("limit.header_fields", 431, 0, "The header has too many fields", "More fields than `limits.header_fields`, cookie crumbs counted one by one.");
        TARGET_BYTES = refused("limit.target_bytes", 414, 0, "The request target is too long", "More bytes than `limits.target_bytes`.");
        BODY_BYTES = refused("limit.body_bytes", 413, 0, "The request body is too large", "More bytes than `limits.body_bytes`, or than the filter that reads the body accepts.");
        BODY_READ = refused("request.body", 400, 0, "The request body could not be read", "The client broke off, or the body's framing is wrong.");
        CONNECT = refused("upstream.connect", 502, 101_503, "The upstream cannot be reached", "No connection could be made to any endpoint of the group.");
        CIRCUIT_OPEN = refused("upstream.circuit_open", 503, 101_503, "The upstream is not asked at the moment", "Too many requests failed: the circuit breaker of each endpoint is open. `Retry-After` is not sent, since nobody knows when the upstream is well again.");
        FULL = refused("upstream.full", 503, 101_503, "The upstream has no room", "Each endpoint has as many requests in progress as `capacity` of its group allows, and none was over in time.");
        CONNECT_TIMEOUT = refused("upstream.connect_timeout", 504, 101_504, "The upstream cannot be reached in time", "Connecting to the last endpoint that was tried took longer than `upstream.connect_timeout`.");
        UPSTREAM_TIMEOUT = refused("upstream.timeout", 504, 101_503, "The upstream did not answer in time", "The upstream was silent for longer than `upstream.read_timeout`, or took nothing for `upstream.write_timeout`.");
        HEADER_TIMEOUT = refused("upstream.header_timeout", 504, 101_503, "The upstream did not begin its answer in time", "The head of the answer was not whole within `upstream.response_header_timeout`; interim answers do not prolong it.");
        REQUEST_TIMEOUT = refused("upstream.request_timeout", 504, 101_503, "The upstream did not finish its answer in time", "The exchange, with all its attempts, took longer than `upstream.request_timeout`. When the answer had begun, it ends incomplete.");
        GRPC_DEADLINE = refused("grpc.deadline", 504, 0, "The call's deadline is over", "The time that the client gave in `grpc-timeout` was over before the call was. The client gets DEADLINE_EXCEEDED (4), in trailers when the answer had begun, and the call to the upstream is cancelled.");
        INTERIM = refused("upstream.interim", 502, 101_503, "The upstream sent too many interim answers", "More than 16 answers with a status from 100 to 199 before the final one.");
        UPSTREAM_BROKEN = refused("upstream.broken", 502, 101_503, "The upstream broke off", "The connection ended, or the answer was not HTTP, before an answer could be passed on.");
        ANSWER_BYTES = refused("answer.body_bytes", 502, 0, "The answer is too large", "A filter reads such answers whole, and this one has more bytes than it accepts. Nothing of it has reached the client. Give the filter a higher limit, or have the upstream send less at a time.");
        ANSWER_CODED = refused("answer.coding", 502, 0, "The answer cannot be read", "A filter reads such answers whole, and the upstream has sent this one compressed although the gateway had asked for `identity`. Have the upstream honour `Accept-Encoding`.");
        ANSWER_PARTIAL = refused("answer.partial", 502, 0, "The answer is only a part", "A filter reads such answers whole, and the upstream has sent a 206 although the gateway had taken `Range` out of the request.");
        ANSWER_ENDLESS = refused("answer.endless", 502, 0, "The answer has no end", "A filter reads every answer whole, and this one is an event stream, one of gRPC, or a change of protocol. Take the filter off this operation, or let it name the media types that it reads.");
        ANSWER_HELD = refused("answer.held", 503, 0, "The gateway holds too many answers", "The answers that filters read whole would together have more bytes than `limits.whole_answers`.");
        OVERLOADED = refused("gateway.overloaded", 503, 0, "The gateway is overloaded", "Memory or open files are nearly used up: `limits.memory` says what happens when. `Retry-After` says when to ask again. Of HTTP/2, a stream may be refused instead.");
        FAULT = refused("chain.fault", 503, 900_900, "The gateway cannot decide at the moment", "A filter could not decide, for instance because an issuer's keys could not be had. The log names filter and cause.");
        INTERNAL = refused("gateway.internal", 500, 900_900, "The gateway failed", "An error of the gateway itself; the log has the cause.");
    }
}

/// Every reason of the gateway, for the manual.
pub static GATEWAY_REASONS: &[&Reason] = gateway::ALL;
