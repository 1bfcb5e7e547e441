"""Envoy's static configuration: one listener, one route, one cluster."""

import json


def configuration(port, backend_port, keys, tls, jwt, limits=False):
    """As JSON, which Envoy reads as well as YAML."""
    router = {"name": "router", "typed_config": {"@type": kind("extensions.filters.http.router.v3.Router")}}
    manager = {
        "@type": kind("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "load",
        "http_filters": ([jwt_authn(keys)] if jwt else []) + (five_limits() if limits else []) + [router],
        "route_config": {
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "backend"}}]}]
        },
    }
    chain = {"filters": [{"name": "manager", "typed_config": manager}]}
    if tls:
        chain["transport_socket"] = {"name": "tls", "typed_config": downstream(keys)}
    listener = {"name": "front", "address": address(port), "filter_chains": [chain]}
    endpoint = {"endpoint": {"address": address(backend_port)}}
    cluster = {
        "name": "backend",
        "type": "STATIC",
        "connect_timeout": "5s",
        "load_assignment": {"cluster_name": "backend", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    return json.dumps({"static_resources": {"listeners": [listener], "clusters": [cluster]}}, indent=1)


def kind(name):
    return f"type.googleapis.com/envoy.{name}"


def address(port):
    return {"socket_address": {"address": "127.0.0.1", "port_value": port}}


def downstream(keys):
    identity = {"certificate_chain": {"filename": str(keys.certificate)}, "private_key": {"filename": str(keys.key)}}
    common = {"tls_certificates": [identity]}
    return {"@type": kind("extensions.transport_sockets.tls.v3.DownstreamTlsContext"), "common_tls_context": common}


def five_limits():
    """Five local token buckets that nobody empties. They are one for all callers each: Envoy has no local bucket for a caller."""
    always = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    bucket = {"max_tokens": 900_000, "tokens_per_fill": 900_000, "fill_interval": "1s"}

    def limit(number):
        config = {
            "@type": kind("extensions.filters.http.local_ratelimit.v3.LocalRateLimit"),
            "stat_prefix": f"limit_{number}",
            "token_bucket": bucket,
            "filter_enabled": always,
            "filter_enforced": always,
            "enable_x_ratelimit_headers": "DRAFT_VERSION_03",
        }
        return {"name": f"limit_{number}", "typed_config": config}

    return [limit(number) for number in range(5)]


def jwt_authn(keys):
    provider = {
        "issuer": keys.issuer,
        "local_jwks": {"inline_string": json.dumps(keys.jwks)},
        "forward": True,
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    config = {
        "@type": kind("extensions.filters.http.jwt_authn.v3.JwtAuthentication"),
        "providers": {"load": provider},
        "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "load"}}],
    }
    return {"name": "jwt", "typed_config": config}
