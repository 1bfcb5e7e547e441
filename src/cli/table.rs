//! Columns for people.

use std::fmt::Write;

/// Rows below a head, each column as wide as its widest cell. The last column is not padded.
pub(super) fn render(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    line(&mut text, head.iter().copied(), &widths);
    for row in rows {
        line(&mut text, row.iter().map(String::as_str), &widths);
    }
    text
}

fn line<'a>(text: &mut String, cells: impl Iterator<Item = &'a str>, widths: &[usize]) {
    let start = text.len();
    for (cell, width) in cells.zip(widths) {
        let _ = write!(text, "{cell:width$}  ");
    }
    text.truncate(start + text[start..].trim_end().len());
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn columns_line_up_and_lines_end_without_blanks() {
        let rows = vec![vec!["GET".to_owned(), "/a".to_owned()], vec!["DELETE".to_owned(), "/ä".to_owned()]];
        assert_eq!(render(&["METHOD", "PATH"], &rows), "METHOD  PATH\nGET     /a\nDELETE  /ä\n");
    }
}
