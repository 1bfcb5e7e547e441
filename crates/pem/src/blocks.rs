//! A content, taken apart into its blocks.

use crate::Unusable;

/// One block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block<'a> {
    /// What stands behind `BEGIN`.
    pub label: &'a str,
    /// The block with its boundaries.
    pub text: &'a [u8],
    /// Line of its beginning, from 1.
    pub line: u32,
    /// Its place, from 1.
    pub number: usize,
}

/// All blocks in their order, whatever they hold.
pub(crate) fn blocks(content: &[u8]) -> Result<Vec<Block<'_>>, Unusable> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, usize, u32)> = None;
    let mut trailing = None;
    let mut start = 0;
    for (line, text) in (1..).zip(content.split_inclusive(|byte| *byte == b'\n')) {
        let end = start + text.len();
        let number = blocks.len() + 1;
        match (boundary(text, line)?, open) {
            (Some(Boundary::Begin(label)), None) => open = Some((label, start, line)),
            (Some(Boundary::End(label)), Some((begun, first, at))) if label == begun => {
                blocks.push(Block { label, text: &content[first..end], line: at, number });
                (open, trailing) = (None, None);
            }
            (Some(_), Some((.., at))) => return Err(Unusable::NoEnd { number, line: at }),
            (Some(Boundary::End(_)), None) => return Err(Unusable::Boundary { line }),
            (None, None) if !text.trim_ascii().is_empty() => trailing = trailing.or(Some(line)),
            (None, _) => {}
        }
        start = end;
    }
    match (open, trailing) {
        (Some((.., line)), _) => Err(Unusable::NoEnd { number: blocks.len() + 1, line }),
        (None, Some(line)) if !blocks.is_empty() => Err(Unusable::Trailing { line }),
        _ => Ok(blocks),
    }
}

enum Boundary<'a> {
    Begin(&'a str),
    End(&'a str),
}

/// What a line begins or ends. One that only looks like that would be passed over by other readers, with what it begins.
fn boundary(text: &[u8], line: u32) -> Result<Option<Boundary<'_>>, Unusable> {
    let looks = |word: &[u8]| text.windows(word.len()).any(|window| window == word);
    if !looks(b"-----BEGIN") && !looks(b"-----END") {
        return Ok(None);
    }
    let text = std::str::from_utf8(text.trim_ascii_end()).ok().and_then(|text| text.strip_prefix("-----")?.strip_suffix("-----"));
    let begin = text.and_then(|text| text.strip_prefix("BEGIN ")).map(Boundary::Begin);
    let boundary = begin.or_else(|| text?.strip_prefix("END ").map(Boundary::End));
    boundary.map(Some).ok_or(Unusable::Boundary { line })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(content: &str) -> Result<Vec<(String, u32, usize)>, Unusable> {
        blocks(content.as_bytes())
            .map(|blocks| blocks.into_iter().map(|block| (block.label.to_owned(), block.line, block.text.len())).collect())
    }

    #[test]
    fn blocks_know_their_line_and_text_may_stand_in_front_of_them() {
        let content = "# ours\n-----BEGIN A B-----\nAAAA\n-----END A B-----\n\nsubject: x\n-----BEGIN C-----\r\n-----END C-----\r\n \n";
        assert_eq!(labels(content).unwrap(), [("A B".to_owned(), 2, 43), ("C".to_owned(), 7, 36)]);
        assert_eq!(labels("").unwrap(), []);
        assert_eq!(labels("nothing of the kind\n").unwrap(), []);
        assert_eq!(labels("-----BEGIN C-----\n-----END C-----").unwrap(), [("C".to_owned(), 1, 33)]);
    }

    #[test]
    fn what_is_cut_off_or_has_something_behind_it_is_refused_with_its_line() {
        let block = "-----BEGIN C-----\n-----END C-----\n";
        for (content, wrong) in [
            (format!("{block}rest\nmore\n"), Unusable::Trailing { line: 3 }),
            (format!("{block}{block}\u{0}"), Unusable::Trailing { line: 5 }),
            (format!("{block}-----BEGIN C-----\nAAAA\n"), Unusable::NoEnd { number: 2, line: 3 }),
            (format!("-----BEGIN C-----\n{block}"), Unusable::NoEnd { number: 1, line: 1 }),
            ("-----BEGIN C-----\n-----END D-----\n".to_owned(), Unusable::NoEnd { number: 1, line: 1 }),
            ("-----END C-----\n".to_owned(), Unusable::Boundary { line: 1 }),
            (format!("{block} -----BEGIN C-----\n-----END C-----\n"), Unusable::Boundary { line: 3 }),
            (format!("\u{feff}{block}"), Unusable::Boundary { line: 1 }),
            ("-----BEGIN C----\n-----END C-----\n".to_owned(), Unusable::Boundary { line: 1 }),
            ("-----BEGIN C----------BEGIN C-----\n".to_owned(), Unusable::NoEnd { number: 1, line: 1 }),
        ] {
            assert_eq!(labels(&content), Err(wrong), "{content:?}");
        }
    }
}
