//! How much is taken of what a stranger says.

/// Longest text message, in bytes.
pub const LONGEST_MESSAGE: usize = 64 << 10;

/// Longest list that is fetched at the start, in bytes.
pub const LONGEST_LIST: usize = 16 << 20;

/// Longest key, name or value, in bytes.
pub(crate) const LONGEST_KEY: usize = 1 << 10;

/// Most decisions, conditions among them, and most blocked names.
pub(crate) const MOST_ENTRIES: usize = 100_000;

/// Most conditions that tell the requests of one key apart, most groups of them, and most values of a group.
pub(crate) const MOST_CONDITIONS: usize = 32;

/// Longest base64 text of conditions.
pub(crate) const LONGEST_CONDITIONS: usize = 64 << 10;

/// Deepest JSON.
pub(crate) const DEEPEST: usize = 8;

/// Most blocked addresses and ranges. A request looks at each range.
pub(crate) const MOST_ADDRESSES: usize = 10_000;
pub(crate) const MOST_RANGES: usize = 1000;

/// Most key templates: for each, a request makes a key and looks it up.
pub(crate) const MOST_TEMPLATES: usize = 1000;

/// Furthest end of a decision, in milliseconds from now. The longest window of the traffic manager is a year.
pub(crate) const FURTHEST: u64 = 366 * 24 * 3600 * 1000;

/// How long it is remembered that something was taken back, in milliseconds, in case that an older message comes after.
pub(crate) const REMEMBERED: u64 = 600_000;
