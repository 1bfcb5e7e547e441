use super::*;

fn meant(key: &str) -> Option<String> {
    match verdict(key) {
        Verdict::Slip { meant, .. } => Some(meant),
        _ => None,
    }
}

#[test]
fn a_slip_in_a_name_is_told_from_another_name() {
    for (slips, name) in [
        (
            &[
                "x-wso2-mutual-sl",
                "x-wso2-mutualssl",
                "x-wso2-mutual_ssl",
                "x-wso2-mutual-tls",
                "x-wso2-mutual",
                "x-wso2-ssl-mutual",
                "x-wso2-mutual-ssl-mode",
                "x-wso2-Mutual-SSL",
                "X-WSO2-mutual-ssl",
                "x-wso2--mutual-ssl",
                "x_wso2_mutual_ssl",
                "x-ws02-mutual-ssl",
                "x-wso-mutual-ssl",
                "x-wos2-mutual-ssl",
                "wso2-mutual-ssl",
                "x-wso2.mutual-ssl",
                "x-mutual-ssl",
                "x\u{2011}wso2\u{2011}mutual\u{2011}ssl",
                "x-wso2-mutual-ssl\u{200b}",
                "\u{445}-wso2-mutual-ssl",
                " x-wso2-mutual-ssl",
            ][..],
            "x-wso2-mutual-ssl",
        ),
        (&["x-wso2-transport", "x-wso2-trasports", "x-wso2-Transports "], "x-wso2-transports"),
        (&["x-wso2-aplication-security", "x-wso2-application-securty", "x-application-security"], "x-wso2-application-security"),
        (&["x-wso2-throtling-tier", "x-wso2-throttling", "x-wso2-tier-throttling"], "x-wso2-throttling-tier"),
        (&["x-wso2-scope", "x-scopes", "x-Scope", "X-Scope", "x-wso2-scopes"], "x-scope"),
        (&["x-throttling-teir", "x-throttling-tiers"], "x-throttling-tier"),
        (&["x-wso2-auth-type", "x-auth-types"], "x-auth-type"),
        (&["x-wso2-cros", "x-wso2-cor", "x-wso2-CORS"], "x-wso2-cors"),
        (&["x-tolgate-jwt", "x-tollgate_jwt", "X-Tollgate-jwt", "tollgate-jwt", "x-toll-gate-jwt"], "x-tollgate-jwt"),
    ] {
        for slip in slips {
            assert_eq!(meant(slip).as_deref(), Some(name), "{slip}");
        }
    }
}

#[test]
fn a_name_like_none_of_ours_is_no_slip() {
    for other in ["x-wso2-label", "x-wso2-security", "x-wso2-graphql-schema", "x-wso2-vhosts", "x-wso2-deployment-name", "x-wso2-"] {
        assert_eq!(verdict(other), Verdict::Unknown, "{other}");
    }
    for other in [
        "paths",
        "servers",
        "security",
        "x-amazon-apigateway-integration",
        "x-google-backend",
        "x-kong-name",
        "x-mediation-script",
        "x-cors",
        "x-owner",
        "x-endpoints",
        "x-transports",
        "x-order",
        "x-internal",
        "x-logo",
        "x-tagGroups",
        "x-codegen-request-body-name",
        "",
        "x-",
        "/x-wso2-cors",
    ] {
        assert_eq!(verdict(other), Verdict::Foreign, "{other}");
    }
}

#[test]
fn what_is_known_is_no_slip() {
    for (name, _) in KNOWN {
        assert_eq!(verdict(name), Verdict::Known(name));
    }
    assert_eq!(verdict("x-tollgate-any_thing"), Verdict::Known(GENERIC));
}

/// A document may have a hundred thousand keys.
#[test]
fn long_names_are_not_compared() {
    let long = format!("x-wso2-{}", "mutual-ssl".repeat(1000));
    assert_eq!(verdict(&long[2..]), Verdict::Foreign);
    assert_ne!(verdict(&long), Verdict::Foreign);
}
