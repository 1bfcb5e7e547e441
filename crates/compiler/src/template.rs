//! Path templates: what a segment may look like, and when two templates match the same requests.

use crate::base_path::is_literal;

/// A template, taken apart.
#[derive(Debug, PartialEq)]
pub(crate) struct Template<'t> {
    /// The template with every parameter name left out: templates of equal shape match the same paths.
    pub shape: String,
    /// Names of the parameters, in order.
    pub parameters: Vec<&'t str>,
    /// Segments with characters that a request path in normal form never has.
    pub unreachable: bool,
}

/// # Errors
/// What is wrong; reads on after "the template".
pub(crate) fn parse(template: &str) -> Result<Template<'_>, &'static str> {
    let body = template.strip_prefix('/').ok_or("does not begin with `/`")?;
    let mut parsed = Template { shape: String::new(), parameters: Vec::new(), unreachable: false };
    let body = body.strip_suffix('/').unwrap_or(body);
    let mut segments = body.split('/').peekable();
    while let Some(segment) = segments.next() {
        parsed.shape.push('/');
        if segment == "*" {
            if segments.peek().is_some() {
                return Err("has `*` before its last segment");
            }
            parsed.shape.push('*');
        } else {
            parsed.segment(segment)?;
        }
    }
    let mut names = parsed.parameters.clone();
    names.sort_unstable();
    names.dedup();
    if names.len() < parsed.parameters.len() {
        return Err("has two parameters of the same name");
    }
    Ok(parsed)
}

impl<'t> Template<'t> {
    fn segment(&mut self, segment: &'t str) -> Result<(), &'static str> {
        let Some((before, rest)) = segment.split_once('{') else {
            return self.literal(segment);
        };
        let (name, after) = rest.split_once('}').ok_or("has a `{` without `}`")?;
        if name.is_empty() {
            return Err("has a parameter without a name");
        }
        if after.contains('{') {
            return Err("has two parameters in one segment");
        }
        self.literal(before)?;
        self.shape.push_str("{}");
        self.parameters.push(name);
        self.literal(after)
    }

    fn literal(&mut self, text: &str) -> Result<(), &'static str> {
        if text.contains(['{', '}']) {
            return Err("has a brace without its partner");
        }
        if text.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        self.unreachable |= !text.bytes().all(|b| is_literal(b) || b == b'%') || matches!(text, "." | "..");
        self.shape.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_make_a_difference() {
        let shape = |t| parse(t).expect("it is a template").shape;
        assert_eq!(shape("/pets/{id}/x"), shape("/pets/{petId}/x"));
        assert_eq!(shape("/pets/{id}"), shape("/pets/{id}/"));
        assert_ne!(shape("/pets/{id}"), shape("/pets/{id}.json"));
    }

    #[test]
    fn a_segment_has_at_most_one_parameter_and_the_rest_is_literal() {
        assert_eq!(parse("/report-{id}.json").expect("it is a template").parameters, ["id"]);
        assert!(parse("/*").is_ok() && parse("/").is_ok());
        for bad in ["x", "/{a}{b}", "/{a}-{b}", "/{", "/a}", "/{}", "/*/a", "/a?b", "/a#b", "/{a}/{a}"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
