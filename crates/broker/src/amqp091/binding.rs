//! What a queue is bound to.

use tollgate_filter_api::Problem;

/// An exchange and the key that messages must match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Binding {
    pub(crate) exchange: String,
    pub(crate) key: String,
}

impl Binding {
    /// Reads `KEY`, which means `amq.topic`, or `/exchange/EXCHANGE/KEY`. `/topic/KEY` is the same as `KEY`, so that one
    /// spelling does for all protocols of RabbitMQ.
    pub(crate) fn parse(topic: &str) -> Result<Self, Problem> {
        if let Some(rest) = topic.strip_prefix("/exchange/") {
            return match rest.split_once('/') {
                Some((exchange, key)) if !exchange.is_empty() => Ok(Self { exchange: exchange.to_owned(), key: key.to_owned() }),
                _ => Err(Problem::error("broker.topic", format!("expected /exchange/EXCHANGE/KEY, found `{topic}`"))),
            };
        }
        let key = topic.strip_prefix("/topic/").unwrap_or(topic);
        Ok(Self { exchange: "amq.topic".to_owned(), key: key.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(topic: &str) -> Option<(String, String)> {
        Binding::parse(topic).ok().map(|binding| (binding.exchange, binding.key))
    }

    #[test]
    fn a_topic_is_a_key_of_amq_topic_unless_it_names_an_exchange() {
        assert_eq!(of("revoked"), Some(("amq.topic".into(), "revoked".into())));
        assert_eq!(of("/topic/token.#"), Some(("amq.topic".into(), "token.#".into())));
        assert_eq!(of("/exchange/events/token/x"), Some(("events".into(), "token/x".into())));
        assert_eq!(of("/exchange/events/"), Some(("events".into(), String::new())));
        assert_eq!(of("/exchange/events"), None);
        assert_eq!(of("/exchange//k"), None);
    }
}
