//! From the operation of a request to its record.

use std::sync::{Arc, OnceLock};

use tollgate_filter_api::OperationInfo;

use super::{Ledger, Record};
use crate::rules::OperationRules;

/// Several operations may have the same rules, and then share a filter.
const BUCKETS: usize = 8;

/// The records of the operations that have these rules. Finding one takes no lock.
#[derive(Debug)]
pub struct Records {
    ledger: Arc<Ledger>,
    rules: OperationRules,
    buckets: [Link; BUCKETS],
}

type Link = OnceLock<Box<Node>>;

#[derive(Debug)]
struct Node {
    operation: Arc<OperationInfo>,
    record: Arc<Record>,
    next: Link,
}

impl Records {
    /// None yet: each is made with the first request of its operation.
    pub fn new(ledger: Arc<Ledger>, rules: OperationRules) -> Self {
        Self { ledger, rules, buckets: Default::default() }
    }

    /// That of the operation. The caller has one and the same `Arc` for all requests of an operation.
    pub fn of(&self, operation: &Arc<OperationInfo>) -> &Record {
        let address = Arc::as_ptr(operation) as usize;
        let mut link = &self.buckets[(address >> 4).wrapping_mul(0x9e37_79b9) >> 8 & (BUCKETS - 1)];
        loop {
            let node = link.get_or_init(|| Box::new(self.node(operation)));
            if Arc::ptr_eq(&node.operation, operation) {
                return &node.record;
            }
            link = &node.next;
        }
    }

    fn node(&self, operation: &Arc<OperationInfo>) -> Node {
        let record = self.ledger.operation(operation, &self.rules);
        Node { operation: operation.clone(), record, next: OnceLock::new() }
    }
}
