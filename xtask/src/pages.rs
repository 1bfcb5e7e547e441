//! Generated pages: written, or compared with what is there.

use std::{collections::BTreeSet, fs, path::Path, process::ExitCode};

/// A generated file.
#[derive(Debug)]
pub struct Page {
    /// Path below the workspace's folder.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// Folders of which every file is generated: what nobody writes any more is removed.
const OWNED: [&str; 1] = ["docs/reference/filters"];

/// Writes every page whose text changed, and removes those that are no longer made.
///
/// # Errors
/// When a file cannot be read, written or removed.
pub fn write(root: &Path, pages: &[Page]) -> Result<ExitCode, String> {
    for page in pages {
        let path = root.join(&page.path);
        if read(&path)?.as_deref() != Some(&page.text) {
            let folder = path.parent().unwrap_or(root);
            fs::create_dir_all(folder).and_then(|()| fs::write(&path, &page.text)).map_err(|error| failure(&path, &error))?;
            eprintln!("wrote {}", page.path);
        }
    }
    for path in left_over(root, pages)? {
        let path = root.join(path);
        fs::remove_file(&path).map_err(|error| failure(&path, &error))?;
        eprintln!("removed {}", path.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints what differs and how to mend it.
///
/// # Errors
/// When a file cannot be read.
pub fn check(root: &Path, pages: &[Page]) -> Result<ExitCode, String> {
    let mut differs = false;
    for page in pages {
        let found = read(&root.join(&page.path))?.unwrap_or_default();
        if found != page.text {
            print!("{}", difference(&page.path, &found, &page.text));
            differs = true;
        }
    }
    for path in left_over(root, pages)? {
        println!("{path}: nothing writes this page any more");
        differs = true;
    }
    if differs {
        eprintln!("The pages differ from the code. Run `cargo xtask docs` and commit what it writes.");
        return Ok(ExitCode::from(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failure(path, &error)),
    }
}

fn failure(path: &Path, error: &std::io::Error) -> String {
    format!("{}: {error}", path.display())
}

fn left_over(root: &Path, pages: &[Page]) -> Result<Vec<String>, String> {
    let made: BTreeSet<&str> = pages.iter().map(|page| page.path.as_str()).collect();
    let mut left = Vec::new();
    for folder in OWNED {
        let Ok(entries) = fs::read_dir(root.join(folder)) else { continue };
        for entry in entries {
            let entry = entry.map_err(|error| failure(&root.join(folder), &error))?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if !made.contains(path.as_str()) {
                left.push(path);
            }
        }
    }
    left.sort();
    Ok(left)
}

/// The lines that differ, old ones with `-`, new ones with `+`, in hunks that begin with the old line's number.
fn difference(path: &str, old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    let common = common_lengths(&old, &new);
    let mut text = format!("--- {path}\n");
    let (mut a, mut b, mut in_hunk) = (0, 0, false);
    while a < old.len() || b < new.len() {
        if a < old.len() && b < new.len() && old[a] == new[b] {
            (a, b, in_hunk) = (a + 1, b + 1, false);
            continue;
        }
        if !in_hunk {
            text.push_str(&format!("@@ line {}\n", a + 1));
            in_hunk = true;
        }
        if b == new.len() || (a < old.len() && common[a + 1][b] >= common[a][b + 1]) {
            text.push_str(&format!("-{}\n", old[a]));
            a += 1;
        } else {
            text.push_str(&format!("+{}\n", new[b]));
            b += 1;
        }
    }
    text
}

/// At `[a][b]`: how many lines `old[a..]` and `new[b..]` have in common, in order. Pages have some hundred lines.
fn common_lengths(old: &[&str], new: &[&str]) -> Vec<Vec<u32>> {
    let mut lengths = vec![vec![0; new.len() + 1]; old.len() + 1];
    for a in (0..old.len()).rev() {
        for b in (0..new.len()).rev() {
            lengths[a][b] = if old[a] == new[b] { lengths[a + 1][b + 1] + 1 } else { lengths[a + 1][b].max(lengths[a][b + 1]) };
        }
    }
    lengths
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn a_difference_shows_the_lines_that_changed_and_no_other() {
        assert_eq!(difference("p", "a\nb\nc\nd\n", "a\nx\nc\nd\ne\n"), "--- p\n@@ line 2\n-b\n+x\n@@ line 5\n+e\n");
        assert_eq!(difference("p", "", "a\n"), "--- p\n@@ line 1\n+a\n");
        assert_eq!(difference("p", "a\na\n", "a\n"), "--- p\n@@ line 2\n-a\n");
    }
}
