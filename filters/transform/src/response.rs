//! Changes to the head of an answer.

use http::StatusCode;
use tollgate_changes::{
    cookies,
    facts::{Seen, TooLong},
    heads::{Rendered, Rules},
};
use tollgate_filter_api::{AnswerSet, Problem, ResponseHead, pointer};

use crate::config::Response;

/// The changes, judged.
#[derive(Debug)]
pub struct Head {
    statuses: AnswerSet,
    /// Code or class, and what it becomes.
    status: Vec<(u16, u16)>,
    pub fields: Rules,
    remove_cookies: Vec<String>,
}

impl Head {
    /// Judges what is written.
    ///
    /// # Errors
    /// What no answer may have.
    pub fn parse(config: &Response) -> Result<Self, Problem> {
        let statuses = AnswerSet { statuses: config.statuses.clone(), media_types: Vec::new() };
        if let Some(fault) = statuses.fault() {
            return Err(Problem::setting("/response/statuses", fault));
        }
        let mut names = Vec::new();
        for (at, name) in config.remove_cookies.iter().enumerate() {
            names.push(cookies::named(name, &names, &format!("/response/remove_cookies/{at}"))?);
        }
        let mut status = config.status.iter().map(|(from, to)| becomes(from, *to)).collect::<Result<Vec<_>, _>>()?;
        // A code says more than its class.
        status.sort_by_key(|(from, _)| std::cmp::Reverse(*from));
        Ok(Self { statuses, status, fields: Rules::parse(&config.headers, "response/headers")?, remove_cookies: names })
    }

    /// Statuses whose answers are changed, as they are written.
    pub fn statuses(&self) -> &[u16] {
        &self.statuses.statuses
    }

    /// Whether answers of a status are changed.
    pub fn covers(&self, status: u16) -> bool {
        StatusCode::from_u16(status).is_ok_and(|status| self.statuses.covers(status, None))
    }

    /// The values for an answer, when they are the same for every request.
    ///
    /// # Errors
    /// One of them is too long.
    pub fn render(&self, seen: &Seen<'_>) -> Result<Rendered, TooLong> {
        self.fields.render(seen)
    }

    /// Does all changes.
    pub fn apply(&self, head: &mut ResponseHead, rendered: Rendered) {
        let code = head.status();
        if let Some((_, to)) = self.status.iter().find(|(from, _)| *from == code || *from == code / 100) {
            // One without a body keeps its status, as it would have to have one.
            let _ = head.set_status(*to);
        }
        if !self.remove_cookies.is_empty() {
            cookies::unset(head, &self.remove_cookies);
        }
        self.fields.apply(head, rendered);
    }
}

/// A code or a class, and the code in its place.
fn becomes(from: &str, to: u16) -> Result<(u16, u16), Problem> {
    let legal = from.parse().ok().filter(|from| is_status(*from) || (2..=5).contains(from)).filter(|_| is_status(to));
    legal.map(|from| (from, to)).ok_or_else(|| {
        let problem = Problem::setting(pointer::join("/response/status", from), format!("`{from}` cannot become {to}"));
        problem.hint("a code from 200 to 599 with a body, or a class from 2 to 5, becomes such a code")
    })
}

/// A status whose answers have bodies.
fn is_status(status: u16) -> bool {
    (200..600).contains(&status) && !matches!(status, 204 | 205 | 304)
}
