//! The questions as calls of one script.

use std::fmt::Write as _;

use redis::{Cmd, Script, cmd};
use tollgate_counters::{Question, QuotaId};

/// Keys are spread over so many hash tags, so that a cluster spreads them over its masters.
pub(crate) const TAGS: usize = 64;
/// Most quotas of one call: 500 would hold a store up for 2.6 ms.
pub(crate) const TOGETHER: usize = 100;
/// How long a store that was empty waits for reports.
pub(crate) const LEARNING_MS: u64 = 300;

/// What `lease.lua` answers with for the call as a whole, and for each quota.
pub(crate) const ANSWER: (usize, usize) = (2, 4);

/// Number of a hash tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tag(u8);

impl Tag {
    /// That of a quota, the same in every gateway.
    pub(crate) fn of(quota: &QuotaId) -> Self {
        Self(quota.0.iter().fold(0, |all, byte| all ^ byte) % TAGS as u8)
    }

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..TAGS as u8).map(Self)
    }

    pub(crate) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The slot of a cluster in which its keys lie: CRC-16/XMODEM of what is between the braces, modulo 16384.
    pub(crate) fn slot(self) -> u16 {
        crc16(format!("tg{:02}", self.0).as_bytes()) % 16_384
    }
}

/// The tag of the key by which gateways are counted.
pub(crate) const FLEET: Tag = Tag(0);

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

/// The scripts, and what every key begins with.
pub(crate) struct Scripts {
    lease: Script,
    fleet: Script,
    prefix: String,
}

impl Scripts {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { lease: Script::new(include_str!("lease.lua")), fleet: Script::new(include_str!("fleet.lua")), prefix: prefix.to_owned() }
    }

    /// What makes the scripts known to a server.
    pub(crate) fn load(&self) -> [Cmd; 2] {
        [include_str!("lease.lua"), include_str!("fleet.lua")].map(|code| {
            let mut command = cmd("SCRIPT");
            command.arg("LOAD").arg(code);
            command
        })
    }

    /// Asks for slices of quotas that share a tag; without any it asks for the time and for the store's life.
    pub(crate) fn lease(&self, tag: Tag, gateways: u32, questions: &[Question]) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(self.lease.get_hash()).arg(questions.len() + 1);
        let mut key = self.key(tag, "life");
        command.arg(&key);
        let tagged = key.len() - "life".len();
        for question in questions {
            key.truncate(tagged);
            for byte in question.quota.0 {
                let _ = write!(key, "{byte:02x}");
            }
            command.arg(&key);
        }
        command.arg(gateways.max(1)).arg(LEARNING_MS);
        for Question { limit, window, wanted, seen, seen_in, .. } in questions {
            command.arg(*limit).arg(milliseconds(*window)).arg(*wanted).arg(*seen).arg(*seen_in);
        }
        command
    }

    /// Says that this gateway is there, and asks how many are.
    pub(crate) fn fleet(&self, id: &str, holds_ms: u64) -> Cmd {
        let mut command = cmd("EVALSHA");
        command.arg(self.fleet.get_hash()).arg(1).arg(self.key(FLEET, "gateways")).arg(id).arg(holds_ms);
        command
    }

    fn key(&self, tag: Tag, name: &str) -> String {
        format!("{}:{{tg{:02}}}:{name}", self.prefix, tag.0)
    }
}

/// A window as the script takes it; never 0, by which it divides.
pub(crate) fn milliseconds(window: std::time::Duration) -> u64 {
    u64::try_from(window.as_millis()).unwrap_or(u64::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_of_a_tag_is_that_of_the_cluster_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
    }

    #[test]
    fn quotas_spread_over_all_tags() {
        let mut count = [0_usize; TAGS];
        for number in 0..6400_u32 {
            let mut id = [7; 16];
            id[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            count[Tag::of(&QuotaId(id)).index()] += 1;
        }
        assert!(count.iter().all(|count| (50..200).contains(count)), "{count:?}");
    }

    #[test]
    fn every_key_of_a_call_carries_the_same_tag() {
        let scripts = Scripts::new("shop");
        let text = String::from_utf8(scripts.lease(Tag(7), 3, &[]).get_packed_command()).unwrap();
        assert!(text.contains("shop:{tg07}:life"), "{text}");
        let text = String::from_utf8(scripts.fleet("abc", 3000).get_packed_command()).unwrap();
        assert!(text.contains("shop:{tg00}:gateways"), "{text}");
    }
}
