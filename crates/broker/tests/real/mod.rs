mod activemq;
mod rabbitmq;
mod subscriber;
mod tls;
