//! Lines of a `.proto` file, and how deep its brackets go.

use prost_reflect::FileDescriptor;

/// Brackets that may be open at once. Readers of options recurse.
pub(super) const MAX_DEPTH: usize = 100;

/// The line, counted from 1, in which a byte stands.
pub(super) fn line_of(text: &str, offset: usize) -> u32 {
    let before = text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count();
    u32::try_from(before + 1).unwrap_or(u32::MAX)
}

/// Lines of what a file declares, by its path of field numbers (`google.protobuf.SourceCodeInfo`).
#[derive(Debug, Default)]
pub(super) struct Lines<'f> {
    known: Vec<(&'f [i32], u32)>,
}

impl<'f> Lines<'f> {
    pub(super) fn of(file: &'f FileDescriptor) -> Self {
        let info = file.file_descriptor_proto().source_code_info.iter().flat_map(|info| &info.location);
        let line = |span: &[i32]| u32::try_from(span.first().copied().unwrap_or(0)).unwrap_or(0).saturating_add(1);
        let mut known: Vec<_> = info.map(|location| (&*location.path, line(&location.span))).collect();
        known.sort();
        Self { known }
    }

    /// Where what has this path begins; `nth` of those below it when there are several.
    pub(super) fn at(&self, path: &[i32], nth: usize) -> u32 {
        let begin = self.known.partition_point(|(known, _)| *known < path);
        let below = self.known[begin..].iter().take_while(|(known, _)| known.starts_with(path));
        let mut lines: Vec<u32> = below.map(|(_, line)| *line).collect();
        lines.sort_unstable();
        lines.get(nth).or(lines.first()).copied().unwrap_or(1)
    }
}

/// Whether too many brackets are open somewhere. Texts and comments have none.
pub(super) fn is_too_deep(text: &str) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.bytes().peekable();
    while let Some(byte) = bytes.next() {
        let next = bytes.peek().copied();
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            b'"' | b'\'' => {
                while bytes.next().is_some_and(|inner| {
                    if inner == b'\\' {
                        bytes.next();
                    }
                    inner != byte && inner != b'\n'
                }) {}
            }
            b'#' => while bytes.next().is_some_and(|inner| inner != b'\n') {},
            b'/' if next == Some(b'/') => while bytes.next().is_some_and(|inner| inner != b'\n') {},
            b'/' if next == Some(b'*') => {
                let mut last = b' ';
                bytes.next();
                while bytes.next().is_some_and(|inner| !(std::mem::replace(&mut last, inner) == b'*' && inner == b'/')) {}
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_count_where_a_parser_sees_them() {
        assert!(!is_too_deep(&"{".repeat(MAX_DEPTH)));
        assert!(is_too_deep(&"{ [ ( <".repeat(MAX_DEPTH / 4 + 1)));
        assert!(!is_too_deep(&"{}".repeat(1000)));
        let many = "{".repeat(1000);
        for hidden in
            [format!("// {many}\n"), format!("/* {many}\n*/"), format!("# {many}\n"), format!("\"{many}\\\"{many}\""), format!("'{many}'")]
        {
            assert!(!is_too_deep(&hidden), "{}", &hidden[..4]);
        }
        assert!(is_too_deep(&format!("/* */ \"\" '' // \n{many}")));
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!([0, 1, 2, 3, 99].map(|offset| line_of("a\nb\n", offset)), [1, 1, 2, 2, 3]);
    }
}
