//! Real brokers, stores and issuers, started on free loopback ports and ended by pid. What they need is installed by `tests/install`.

pub mod activemq;
pub mod etcd;
pub mod etcd_cluster;
pub mod glewlwyd;
pub mod grpc;
pub mod jsonschema;
pub mod oidc_provider;
pub mod openid;
pub mod partition;
pub mod process;
pub mod rabbitmq;
pub mod redis;

pub use activemq::ActiveMq;
pub use etcd::Etcd;
pub use etcd_cluster::EtcdCluster;
pub use glewlwyd::Glewlwyd;
pub use grpc::GrpcServer;
pub use oidc_provider::OidcProvider;
pub use openid::OpenId;
pub use partition::Partition;
pub use rabbitmq::RabbitMq;
pub use redis::{Redis, RedisCluster, RedisSentinel};

/// The user that every broker lets in, and its password.
pub const USER: &str = "gw";
/// With a colon, which STOMP escapes in every frame but CONNECT.
pub const PASSWORD: &str = "pa:ss word";
