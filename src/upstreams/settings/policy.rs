//! How a group is balanced and guarded, as definition and configuration say.

use tollgate_plan::{self as plan, EndpointGroup};

use crate::upstreams::{Policy, Strategy};

/// The policy of a group.
pub fn policy(group: &EndpointGroup) -> Policy {
    Policy::new(match group.strategy {
        // The definition had one URL; several that replace it share the load, as several without a type do.
        plan::Strategy::Single | plan::Strategy::LoadBalance => Strategy::RoundRobin,
        plan::Strategy::Failover => Strategy::Failover,
    })
}
