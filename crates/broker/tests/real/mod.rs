mod activemq;
mod rabbitmq;
mod subscriber;
