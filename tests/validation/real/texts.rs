//! Texts of formats and patterns.

use regex::bytes::Regex;

/// A good text of a format that is held to, and a bad one.
const FORMATS: [(&str, &str); 13] = [
    ("date-time", "2026-01-02T03:04:05Z"),
    ("date", "2026-01-02"),
    ("time", "03:04:05Z"),
    ("duration", "P1D"),
    ("email", "a@example.com"),
    ("hostname", "host.example.com"),
    ("ipv4", "192.0.2.1"),
    ("ipv6", "2001:db8::1"),
    ("uri", "https://example.com/a"),
    ("uri-reference", "/a"),
    ("uuid", "6f2a9c3e-1b4d-4c8a-9e7f-0123456789ab"),
    ("byte", "aGk="),
    ("regex", "a+"),
];

/// No text of any of these formats.
pub const NO_FORMAT: &str = "no such (";

pub fn of_format(format: &str) -> Option<&'static str> {
    FORMATS.iter().find(|(name, _)| *name == format).map(|(_, text)| *text)
}

/// What patterns of real descriptions ask for, from short to odd.
const LIKELY: [&str; 22] = [
    "a",
    "1",
    "aa",
    "AA",
    "GBP",
    "/a",
    "a/b",
    "1.5",
    "abc123",
    "https://example.com/",
    "example.com",
    "sample",
    "do:droplet:1",
    "_",
    "",
    "+1-5551234567",
    "10.0.0.1",
    "6f2a9c3e-1b4d-4c8a-9e7f-0123456789ab",
    "EvryDay",
    "Mon, 01 Jan 2026 00:00:00 GMT",
    "w",
    "\\w",
];

/// What they seldom allow.
const UNLIKELY: [&str; 6] = ["~§ ~", "!", "§§§§§§§§§§", "", " ", "UPPER lower !§"];

/// A text that a pattern finds, and that is so long.
pub fn matching(pattern: &str, likely: &[&str], min: usize, max: usize) -> Option<String> {
    let regex = compiled(pattern)?;
    let fits = |text: &&&str| (min..=max).contains(&text.chars().count()) && regex.is_match(text.as_bytes());
    if let Some(found) = likely.iter().chain(&LIKELY).find(fits) {
        return Some((**found).to_owned());
    }
    ["a", "1", "A"].iter().map(|letter| letter.repeat(min)).find(|text| fits(&&text.as_str()))
}

/// A text that it does not find.
pub fn breaking(pattern: &str) -> Option<&'static str> {
    let regex = compiled(pattern)?;
    UNLIKELY.iter().find(|text| !regex.is_match(text.as_bytes())).copied()
}

/// Of ASCII letters, as ECMA-262 has them. Look-around is not known here.
fn compiled(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("(?-u){pattern}")).ok()
}
