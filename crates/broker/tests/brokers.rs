//! Against real brokers, installed by `tests/install`: ActiveMQ with a JMS publisher, RabbitMQ.

#![allow(clippy::unwrap_used)]

mod real;
