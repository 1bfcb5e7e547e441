//! Black box: the real binary against real parts. One file for each part of what was promised.

#![allow(clippy::unwrap_used)]

mod admin;
mod answers;
mod artifact;
mod authorize;
mod brokers;
mod commands;
mod cookie;
mod corpus;
mod cors;
mod errors;
mod etcd;
mod fapi;
mod floods;
mod forwarding;
mod framing;
mod http2;
mod jwt;
mod jwt_rotation;
mod keys;
mod limits;
mod openid;
mod openid_bound;
mod openid_introspection;
mod openid_rotation;
mod paths;
mod pipelining;
mod reload;
mod request_id;
mod request_targets;
mod respond;
mod revocation;
mod slow_upstreams;
mod spellings;
mod stopping;
mod strangers;
mod targets;
mod throttle;
mod throttle_blocks;
mod throttle_in_progress;
mod throttle_kept;
mod throttle_keys;
mod tls;
mod traps;
mod wso2;
