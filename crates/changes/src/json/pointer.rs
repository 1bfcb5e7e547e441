//! Places in a document (RFC 6901).

use tollgate_filter_api::Problem;

/// One step of a pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    name: String,
    index: Option<usize>,
}

impl Token {
    fn new(name: String) -> Self {
        let is_index = name == "0" || !name.starts_with('0') && name.bytes().all(|byte| byte.is_ascii_digit());
        let index = name.parse().ok().filter(|_| is_index);
        Self { name, index }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn index(&self) -> Option<usize> {
        self.index
    }

    /// Behind the last item of an array.
    pub(super) fn is_end(&self) -> bool {
        self.name == "-"
    }

    /// Every member and every item, where that is understood.
    pub(super) fn is_any(&self) -> bool {
        self.name == "*"
    }
}

/// Reads a pointer; `place` is where it is written.
///
/// # Errors
/// It does not begin with a slash, or has a tilde that is no escape.
pub(super) fn parse(text: &str, place: &str) -> Result<Vec<Token>, Problem> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let Some(rest) = text.strip_prefix('/') else {
        let problem = Problem::setting(place, format!("`{text}` is not a JSON Pointer: it does not begin with `/`"));
        return Err(problem.hint(format!("write `/{text}`, or nothing for the whole document")));
    };
    rest.split('/').map(|token| unescaped(token, text, place).map(Token::new)).collect()
}

fn unescaped(token: &str, whole: &str, place: &str) -> Result<String, Problem> {
    let is_legal = token.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if !is_legal {
        let problem = Problem::setting(place, format!("`{whole}` is not a JSON Pointer: `~` stands alone"));
        return Err(problem.hint("write `~0` for `~` and `~1` for `/`"));
    }
    Ok(token.replace("~1", "/").replace("~0", "~"))
}
