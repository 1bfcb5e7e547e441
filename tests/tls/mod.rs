//! TLS towards clients and upstreams, end to end, point by point: the names begin with the point of the checklist that they prove.

mod certificates;
mod changes;
mod forwarded;
mod identity;
mod lists;
mod policy;
mod profiles;
mod protocol;
mod strangers;
mod subjects;
mod upstream;
mod verdicts;
mod world;
