//! What is promised of limits that gateways share, and by how much they may be exceeded.

use std::{collections::BTreeSet, fmt::Write};

use serde_json::{Value, json};
use tollgate_throttling::Promise;

/// As data. At least so many gateways share the store.
pub(in crate::cli) fn data(promises: &BTreeSet<Promise>, gateways: u32) -> Value {
    let each = |promise: &Promise| {
        json!({
            "policy": promise.policy,
            "requests": promise.limit,
            "window_seconds": promise.window,
            "away": if promise.strict { "strict" } else { "share" },
            "excess": promise.excess(gateways),
            "most_gateways_ahead": promise.most_gateways_ahead(),
        })
    };
    promises.iter().map(each).collect()
}

/// For people; empty when nothing is shared.
pub(in crate::cli) fn text(promises: &BTreeSet<Promise>, gateways: u32) -> String {
    promises.iter().fold(String::new(), |mut text, promise| {
        write(&mut text, promise, gateways);
        text
    })
}

fn write(text: &mut String, promise: &Promise, gateways: u32) {
    let (excess, Promise { policy, limit, window, strict }) = (promise.excess(gateways), promise);
    let away = match (strict, gateways) {
        (true, _) => "nothing passes but what a gateway still holds".to_owned(),
        (false, 0 | 1) => format!("up to 2 x {limit}/N more for each of N gateways that is cut off"),
        (false, _) => format!("up to {} more for each gateway that is cut off, of {gateways}", excess.share),
    };
    let ahead = match promise.most_gateways_ahead() {
        0 => "requests wait for the store: the limit is too small for slices that are fetched ahead".to_owned(),
        most => format!("with more than {most} gateways requests wait for the store: slices are too small to be fetched ahead"),
    };
    let _ = write!(
        text,
        "\nshared    `{policy}`: all gateways together let {limit} requests pass in {window} s\n          \
         the store restarts empty, or evicts the quota: up to {} more in that window\n          \
         a fail-over loses writes: what was granted by them, up to {} more\n          \
         the store's clock jumps: what gateways hold, up to {} more in the neighbouring window\n          \
         the store is away: {away}\n          \
         {ahead}",
        excess.store_emptied, excess.grants_lost, excess.clock_jumped
    );
}
