//! "Did you mean": the known word nearest to one that nobody knows.

/// The candidate with the fewest edits from `word`, when it is near enough to be a slip. Words longer than 64 bytes
/// are not compared: a slip in a name is short, and the comparison costs the product of both lengths. Of many candidates
/// only the first thousand are looked at.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.is_empty() || word.len() > 64 {
        return None;
    }
    let folded = fold(word);
    let allowed = 1 + folded.len() / 4;
    candidates
        .into_iter()
        .take(1000)
        .filter(|c| !c.is_empty() && c.len() <= 64)
        .map(|c| (distance(&folded, &fold(c)), c))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, c)| c)
}

/// How many edits lie between two words. Case and word separators are free; words longer than 64 bytes are never near.
pub fn edits(word: &str, other: &str) -> usize {
    if word.len().max(other.len()) > 64 {
        return usize::MAX;
    }
    distance(&fold(word), &fold(other))
}

/// Case and word separators are the commonest slips, so they cost nothing.
fn fold(word: &str) -> Vec<u8> {
    word.bytes().filter(|b| !matches!(b, b'-' | b'_')).map(|b| b.to_ascii_lowercase()).collect()
}

/// Edits between two words; swapping two neighbours is one edit.
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replace = last[j] + usize::from(x != y);
            let mut edits = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                edits = edits.min(before[j - 1] + 1);
            }
            row.push(edits);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_swapped_pair_is_a_slip() {
        assert_eq!(nearest("lsiteners", ["listeners", "admin"]), Some("listeners"));
    }

    #[test]
    fn another_word_is_not() {
        assert_eq!(nearest("banana", ["listeners", "admin"]), None);
    }

    #[test]
    fn case_and_separators_cost_nothing() {
        assert_eq!(nearest("x-wso2-base-path", ["x-wso2-cors", "x-wso2-basePath"]), Some("x-wso2-basePath"));
    }
}
