//! What the lender calls.

use std::num::NonZeroU64;

use super::{Grant, Heard, Known, Question, QuotaId};
use crate::{
    algorithm::Rule,
    ask::Ask,
    clock::Moment,
    counters::Counters,
    key::{Key, quota_id},
    policy::Policy,
};

impl Counters {
    /// The key of a shared policy's counter, and the quota's name in the store, for [`Ask::shared`]. Keys stay good as long as these
    /// counters live, names for ever.
    pub fn shared_key(&self, policy: &Policy, parts: &[&[u8]]) -> (Key, QuotaId) {
        let quota = quota_id(policy, parts);
        (self.seed().key(policy, &[&quota.0]), quota)
    }

    /// How many gateways share the quotas (0 if nobody knows), and whether their store is away. Until this is called it is away, and
    /// shared policies let nothing pass.
    pub fn set_fleet(&self, gateways: u32, away: bool) {
        self.fleet.set(gateways, away);
    }

    /// The question that [`decide`](Self::decide) has made by this ask, to be sent at once. There is one exactly if `told.question` is set.
    pub fn question(&self, ask: &Ask<'_>) -> Option<Question> {
        let (key, number) = (ask.key, ask.told.question?);
        self.lock(key).leases.as_mut()?.get_mut(None, key)?.question(key.shard, number.get())
    }

    /// Takes an answer over. `sent` is a moment before the question left: what the store says is left of the window counts from then, so
    /// a slice never outlives its window, however long the answer took.
    pub fn granted(&self, now: Moment, sent: Moment, question: &Question, grant: Grant) -> Heard {
        let (time, sent) = (self.time(now), self.since(sent));
        let mut shard = self.lock(question.key);
        let time = shard.time(time);
        let lease = shard.leases.as_mut().and_then(|leases| leases.get_mut(None, question.key));
        lease.map_or(Heard::Late, |lease| lease.granted(time, sent, question, grant))
    }

    /// A question was not answered, or an answer that comes now is not waited for. The store counts as away for this counter for a while.
    pub fn unanswered(&self, now: Moment, question: &Question) {
        let time = self.time(now);
        let mut shard = self.lock(question.key);
        let time = shard.time(time);
        if let Some(lease) = shard.leases.as_mut().and_then(|leases| leases.get_mut(None, question.key)) {
            lease.unanswered(time, question);
        }
    }

    /// What was seen of every quota whose window may still run, as questions that want nothing. Send them before any other question on a
    /// new connection: the store behind it may have forgotten what it granted. Asks every shard.
    pub fn reports(&self, now: Moment) -> Vec<Question> {
        let now = self.time(now);
        let mut all = Vec::new();
        for number in self.shard_numbers() {
            if let Some(leases) = &self.lock_shard(number).leases {
                all.extend(leases.iter().filter(|lease| lease.has_seen(now)).map(|lease| lease.report(number)));
            }
        }
        all
    }

    pub(crate) fn fleet(&self) -> Known {
        self.fleet.get()
    }

    pub(crate) fn next_question(&self) -> NonZeroU64 {
        let before = self.questions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        NonZeroU64::MIN.saturating_add(before)
    }
}

impl Policy {
    /// Whether all gateways that share a store keep it together.
    pub fn is_shared(&self) -> bool {
        matches!(self.rule, Rule::Leased(_))
    }
}
