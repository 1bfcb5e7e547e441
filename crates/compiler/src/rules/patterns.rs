//! Patterns of ECMA-262, in the stricter form that can be compiled.
//!
//! Browsers accept more than the standard's own grammar with the flag `u`, and real definitions use it. What has one meaning is rewritten;
//! what has none, or costs too much, is a problem.

use serde_json::{Map, Value, json};
use tollgate_filter_api::Problem;

use tollgate_validation::{PatternFault, pattern_fault};

use crate::input::sources::short;
use crate::input::spot::Spot;

/// Writes the pattern into a schema.
pub(super) fn lift(spot: &Spot<'_>, lifted: &mut Map<String, Value>, problems: &mut Vec<Problem>) {
    let Some(pattern) = spot.node.as_str() else { return };
    let strict = rewritten(pattern);
    if strict != pattern {
        let message = format!("the pattern `{}` is no ECMA-262 pattern with the flag `u`", short(pattern));
        problems.push(spot.warning("schema.pattern", message).hint(format!("it is taken for `{}`", short(&strict))));
    }
    let counted = counted(&strict);
    let compiled = counted.as_ref().map_or(&strict, |(any_number, ..)| any_number);
    if let Some(fault) = pattern_fault(compiled) {
        problems.push(unfit(spot, fault));
        return;
    }
    lifted.insert("pattern".to_owned(), json!(compiled));
    let Some((_, least, most)) = counted else { return };
    let mut length = json!({ "minLength": least, "x-line": spot.node.line() });
    if let Some(most) = most {
        length["maxLength"] = json!(most);
    }
    // Beside the schema's own lengths, which may be others.
    lifted.insert("allOf".to_owned(), json!([length]));
}

fn unfit(spot: &Spot<'_>, fault: PatternFault) -> Problem {
    let pattern = short(spot.node.as_str().unwrap_or_default());
    match fault {
        PatternFault::Syntax => {
            let problem = spot.error("schema.pattern", format!("`{pattern}` is no pattern of ECMA-262"));
            problem.hint("escape brackets, braces and hyphens that mean themselves: `\\[`, `\\{`, `\\-`")
        }
        PatternFault::Costly => {
            let problem = spot.error("schema.pattern", format!("the pattern `{pattern}` would cost minutes for one text"));
            problem.hint("write `+` or `*` in place of what is repeated many times, and say by `maxLength` how long it may be")
        }
    }
}

/// Repetitions from which on they are counted as a length: each would be compiled by itself, which takes megabytes for wide classes.
const MANY: u64 = 16;

/// `^x{n,m}$`, where `x` is one character, as `^x*$` with a length from `n` to `m`.
fn counted(pattern: &str) -> Option<(String, u64, Option<u64>)> {
    let inner = pattern.strip_prefix('^')?.strip_suffix("}$")?;
    let (one, counts) = inner.rsplit_once('{')?;
    let (least, most) =
        counts.split_once(',').map_or((counts, Some(counts)), |(least, most)| (least, Some(most).filter(|most| !most.is_empty())));
    let (least, most) = (least.parse::<u64>().ok()?, most.map(str::parse::<u64>).transpose().ok()?);
    (is_one_character(one) && most.unwrap_or(least) > MANY).then(|| (format!("^{one}*$"), least, most))
}

/// Whether a pattern always takes one character.
fn is_one_character(pattern: &str) -> bool {
    let chars: Vec<char> = pattern.chars().collect();
    match chars.first() {
        Some('.') => chars.len() == 1,
        Some('\\') => {
            let is_class = matches!(chars.get(1), Some('d' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P'));
            is_class && escape(&chars, 0, &mut String::new()) == chars.len()
        }
        Some('[') => class(&chars, 0, &mut String::new()) == chars.len(),
        _ => false,
    }
}

/// The same pattern without what only the web's grammar allows (ECMA-262 annex B.1.2): a hyphen after a class in a class, a brace that
/// repeats nothing, `[^]` and `[]`.
fn rewritten(pattern: &str) -> String {
    let chars: Vec<char> = pattern.chars().collect();
    let mut strict = String::with_capacity(pattern.len());
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        match c {
            '\\' => {
                at = escape(&chars, at, &mut strict);
                continue;
            }
            '[' => {
                at = class(&chars, at, &mut strict);
                continue;
            }
            '{' if !repeats(&chars[at..]) => strict.push_str("\\{"),
            '{' => {
                let end = chars[at..].iter().position(|c| *c == '}').unwrap_or(0);
                strict.extend(&chars[at..=at + end]);
                at += end;
            }
            '}' => strict.push_str("\\}"),
            c => strict.push(c),
        }
        at += 1;
    }
    strict
}

/// Copies what a backslash begins, `\p{L}` whole, and returns where it ends.
fn escape(chars: &[char], at: usize, strict: &mut String) -> usize {
    let braced = matches!(chars.get(at + 1), Some('p' | 'P' | 'u')) && chars.get(at + 2) == Some(&'{');
    let end = chars[at..].iter().position(|c| *c == '}').filter(|_| braced);
    let end = (at + end.map_or(2, |end| end + 1)).min(chars.len());
    strict.extend(&chars[at..end]);
    end
}

/// Whether `{n}`, `{n,}` or `{n,m}` begins there.
fn repeats(chars: &[char]) -> bool {
    let Some(end) = chars.iter().position(|c| *c == '}') else { return false };
    let inside: String = chars[1..end].iter().collect();
    let (least, most) = inside.split_once(',').unwrap_or((&inside, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !least.is_empty() && digits(least) && digits(most)
}

/// Copies a class, and returns where it ends.
fn class(chars: &[char], begin: usize, strict: &mut String) -> usize {
    let negated = chars.get(begin + 1) == Some(&'^');
    let mut at = begin + 1 + usize::from(negated);
    if chars.get(at) == Some(&']') {
        strict.push_str(if negated { "[\\s\\S]" } else { "[^\\s\\S]" });
        return at + 1;
    }
    strict.push('[');
    if negated {
        strict.push('^');
    }
    let mut after_class = false;
    while let Some(&c) = chars.get(at) {
        match c {
            ']' => {
                strict.push(']');
                return at + 1;
            }
            '\\' => {
                after_class = before_class(&chars[at..]);
                at = escape(chars, at, strict);
                continue;
            }
            // What ends no range is itself.
            '-' if after_class || before_class(&chars[at + 1..]) => strict.push_str("\\-"),
            // The engine would take these for operators of its own.
            '[' => strict.push_str("\\["),
            '&' | '~' if chars.get(at + 1) == Some(&c) => {
                strict.push('\\');
                strict.push(c);
            }
            c => strict.push(c),
        }
        after_class = false;
        at += 1;
    }
    at
}

fn before_class(rest: &[char]) -> bool {
    rest.first() == Some(&'\\') && rest.get(1).is_some_and(|c| matches!(c, 'd' | 'D' | 'w' | 'W' | 's' | 'S' | 'p' | 'P'))
}

#[cfg(test)]
mod tests {
    use super::{counted, rewritten};

    #[test]
    fn many_repetitions_of_one_character_are_a_length() {
        for (pattern, any_number, least, most) in [
            ("^[\\p{L}\\p{M}]{1,256}$", "^[\\p{L}\\p{M}]*$", 1, Some(256)),
            ("^.{3,1000}$", "^.*$", 3, Some(1000)),
            ("^\\P{M}{20}$", "^\\P{M}*$", 20, Some(20)),
            ("^[^\\]{]{17,}$", "^[^\\]{]*$", 17, None),
        ] {
            assert_eq!(counted(pattern), Some((any_number.to_owned(), least, most)), "{pattern}");
        }
        for other in [
            "^[a-z]{1,16}$",
            "^[a-z]{1,99}",
            "[a-z]{1,99}$",
            "^(ab){1,99}$",
            "^ab{1,99}$",
            "^[a][b]{1,99}$",
            "^\\b{1,99}$",
            "^[a-z]{x,99}$",
            "^a|[b]{1,99}$",
        ] {
            assert_eq!(counted(other), None, "{other}");
        }
    }

    #[test]
    fn what_only_the_web_allows_is_rewritten_and_the_rest_stays() {
        for (pattern, strict) in [
            ("[\\w-.]", "[\\w\\-.]"),
            ("[a-\\d]", "[a\\-\\d]"),
            ("[^]", "[\\s\\S]"),
            ("[]", "[^\\s\\S]"),
            ("a{,2}", "a\\{,2\\}"),
            ("{id}", "\\{id\\}"),
            ("[a&&b]", "[a\\&&b]"),
            ("[[]", "[\\[]"),
            ("[\\p{L}-x]", "[\\p{L}\\-x]"),
        ] {
            assert_eq!(rewritten(pattern), strict, "{pattern}");
        }
        for same in [
            "^[a-z0-9_.-]+$",
            "^\\w{1,3}$",
            "a{2}b{3,}c{4,5}",
            "\\{x\\}",
            "[\\]\\-]",
            "(?<n>a)\\k<n>",
            "^\\p{L}+$",
            "[+-]",
            "\\u{1F600}",
            "",
        ] {
            assert_eq!(rewritten(same), same);
        }
    }
}
