use super::*;

#[test]
fn key_templates_are_a_list_of_texts() {
    let (list, bad) = key_templates(br#"["$userId","$appId:$apiContext",null,{},""]"#).unwrap();
    assert_eq!((list, bad), (vec!["$userId".to_owned(), "$appId:$apiContext".to_owned()], 3));
    assert!(key_templates(b"{}").is_err() && key_templates(b"<html>").is_err() && key_templates(b"").is_err());
}

#[test]
fn blocks_are_lists_by_kind() {
    let blocked = blocks(
        br#"{"api":["/pets/v1"],"application":["bob:App"],"user":["alice", 7],"custom":[],"subscription":["x"],
            "ip":[{"type":"IP","fixedIp":"192.0.2.7","invert":false,"id":1,"tenantDomain":"carbon.super","startingIp":null,"endingIp":null},
                  {"type":"IPRANGE","fixedIp":null,"startingIp":"192.0.2.0","endingIp":"192.0.2.9","invert":true,"id":2,"tenantDomain":"carbon.super"},
                  {"type":"IP","id":3,"tenantDomain":"carbon.super"}],
            "iprange":[{"startingIp":"192.0.3.0","endingIp":"192.0.3.9","id":4,"tenantDomain":"carbon.super"}], "none": null}"#,
    )
    .unwrap();
    let names = [(BlockKind::Api, "/pets/v1"), (BlockKind::Application, "bob:App"), (BlockKind::User, "alice"), (BlockKind::User, "7")];
    assert_eq!(blocked.names, names.map(|(kind, name)| (kind, name.to_owned())));
    assert_eq!(
        blocked.addresses.iter().map(|(id, one)| (*id, one.addresses.invert)).collect::<Vec<_>>(),
        [(1, false), (2, true), (4, false)]
    );
    assert_eq!(blocked.bad, 2, "a kind that is not known, and an address that is not there");
    assert!(blocks(b"[]").is_err() && blocks(b"").is_err());
    assert!(blocks(format!("{}{}", "[".repeat(9), "]".repeat(9)).as_bytes()).is_err());
}
