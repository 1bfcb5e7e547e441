//! Maps of fields.

use std::borrow::Cow;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use tollgate_filter_api::RequestHead;
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Change, Cx, Host, Stage,
    memory::{answer, hand, part, put},
};
use crate::{
    abi::{MOST_FIELDS, MOST_WRITTEN, Map, Status},
    fields::{Verdict, judge},
    wire::{self, Pairs},
};

/// Whether a value joins those that are there, or takes their place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    Add,
    Replace,
}

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_header_map_pairs", |mut cx: Cx<'_>, map: u32, at: u32, size_at: u32| {
        hand(&mut cx, (at, size_at), |_, host, out| {
            host.write_pairs(Map::of(map)?, out);
            Ok(())
        })
    })?;
    linker.func_wrap("env", "proxy_get_header_map_size", |mut cx: Cx<'_>, map: u32, at: u32| {
        answer(&mut cx, |memory, host| {
            let mut pairs = Vec::new();
            host.write_pairs(Map::of(map)?, &mut pairs);
            put(memory, at, &u32::try_from(pairs.len()).unwrap_or(u32::MAX).to_le_bytes())
        })
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut cx: Cx<'_>, map: u32, name: u32, name_size: u32, at: u32, size_at: u32| {
            hand(&mut cx, (at, size_at), |memory, host, out| host.value(Map::of(map)?, part(memory, name, name_size)?, out))
        },
    )?;
    linker.func_wrap("env", "proxy_set_header_map_pairs", |mut cx: Cx<'_>, map: u32, at: u32, size: u32| {
        answer(&mut cx, |memory, host| {
            host.set_pairs(Map::of(map)?, part(memory, at, size)?);
            Ok(())
        })
    })?;
    for (function, how) in [("proxy_add_header_map_value", How::Add), ("proxy_replace_header_map_value", How::Replace)] {
        linker.func_wrap("env", function, move |mut cx: Cx<'_>, map: u32, name: u32, name_size: u32, at: u32, size: u32| {
            answer(&mut cx, |memory, host| {
                host.write(Map::of(map)?, part(memory, name, name_size)?, part(memory, at, size)?, how);
                Ok(())
            })
        })?;
    }
    linker.func_wrap("env", "proxy_remove_header_map_value", |mut cx: Cx<'_>, map: u32, name: u32, name_size: u32| {
        answer(&mut cx, |memory, host| {
            host.remove(Map::of(map)?, part(memory, name, name_size)?);
            Ok(())
        })
    })?;
    Ok(())
}

impl Host {
    /// The fields of a map, when it is there.
    pub fn fields(&self, map: Map) -> Option<&HeaderMap> {
        match map {
            Map::Request if self.stage == Stage::Request => Some(self.request.fields()),
            Map::Request => self.kept.as_ref().map(|kept| &kept.fields),
            Map::Response if self.stage == Stage::Response => Some(self.response.fields()),
            Map::Call => self.answer.as_ref().map(|answer| &answer.fields),
            _ => None,
        }
    }

    /// Path and query.
    pub fn target(&self, head: &RequestHead) -> String {
        head.query().map_or_else(|| head.path().to_owned(), |query| format!("{}?{query}", head.path()))
    }

    /// What HTTP/2 has as a field and HTTP/1 in the first line.
    pub fn pseudo(&self, map: Map, name: &str) -> Option<Cow<'_, [u8]>> {
        let call = self.call.as_ref()?;
        let is_there = self.stage == Stage::Request;
        match (map, name) {
            (Map::Request, ":authority") => Some(call.host.as_bytes().into()),
            (Map::Request, ":scheme") => Some(if call.secure { &b"https"[..] } else { b"http" }.into()),
            (Map::Request, ":method") if is_there => Some(self.request.method().as_str().as_bytes().into()),
            (Map::Request, ":method") => self.kept.as_ref().map(|kept| kept.method.as_str().as_bytes().into()),
            (Map::Request, ":path") if is_there => Some(match self.request.query() {
                None => self.request.path().as_bytes().into(),
                Some(_) => self.target(&self.request).into_bytes().into(),
            }),
            (Map::Request, ":path") => self.kept.as_ref().map(|kept| kept.target.as_bytes().into()),
            (Map::Response, ":status") => {
                let live = (self.stage == Stage::Response).then(|| self.response.status());
                self.status.or(live).map(|status| status.to_string().into_bytes().into())
            }
            (Map::Call, ":status") => self.answer.as_ref().map(|answer| answer.status.to_string().into_bytes().into()),
            _ => None,
        }
    }

    /// Fields of a map, pseudo fields included.
    pub fn count(&self, map: Map) -> u32 {
        let pseudo = PSEUDO.iter().filter(|(of, name)| *of == map && self.pseudo(map, name).is_some()).count();
        u32::try_from(self.fields(map).map_or(0, HeaderMap::len) + pseudo).unwrap_or(u32::MAX)
    }

    fn write_pairs(&self, map: Map, out: &mut Vec<u8>) {
        let own = PSEUDO.iter().filter(|(of, _)| *of == map);
        let pseudo: Vec<(&str, Cow<'_, [u8]>)> = own.filter_map(|(_, name)| Some((*name, self.pseudo(map, name)?))).collect();
        let fields = self.fields(map);
        wire::write(out, || {
            let first = pseudo.iter().map(|(name, value)| (name.as_bytes(), &**value));
            first.chain(fields.into_iter().flatten().map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes())))
        });
    }

    /// The first value of a field.
    fn value(&self, map: Map, name: &[u8], out: &mut Vec<u8>) -> std::result::Result<(), Status> {
        if name.first() == Some(&b':') {
            let name = std::str::from_utf8(name).map_err(|_| Status::NotFound)?;
            out.extend_from_slice(&self.pseudo(map, name).ok_or(Status::NotFound)?);
            return Ok(());
        }
        let fields = self.fields(map).ok_or(Status::NotFound)?;
        let name = HeaderName::from_bytes(name).map_err(|_| Status::NotFound)?;
        out.extend_from_slice(fields.get(&name).ok_or(Status::NotFound)?.as_bytes());
        Ok(())
    }

    /// Whether a map may be written now. What may not be is noted.
    fn is_writable(&mut self, map: Map, name: &[u8]) -> bool {
        let is = matches!((map, self.stage), (Map::Request, Stage::Request) | (Map::Response, Stage::Response));
        if !is {
            self.refuse(|| format!("{}: {map:?} fields cannot be written in this callback", shown(name)));
        }
        is
    }

    fn write(&mut self, map: Map, name: &[u8], value: &[u8], how: How) {
        if !self.is_writable(map, name) {
            return;
        }
        self.written += name.len() + value.len();
        if self.written > MOST_WRITTEN || self.fields(map).is_some_and(|fields| fields.len() >= MOST_FIELDS) {
            let rule = format!("there may be {MOST_FIELDS} fields, and {MOST_WRITTEN} bytes written in a callback");
            return self.refuse(|| format!("{}: {rule}", shown(name)));
        }
        if name.first() == Some(&b':') {
            return self.write_pseudo(map, name, value);
        }
        let (Ok(field), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) else {
            return self.refuse(|| format!("{}: it is no legal field", shown(name)));
        };
        match judge(&field, false) {
            Verdict::Allowed => self.put(map, field, value, how),
            Verdict::NotNeeded => {}
            Verdict::Refused(rule) => self.refuse(|| format!("field `{field}`: {rule}")),
        }
    }

    fn put(&mut self, map: Map, field: HeaderName, value: HeaderValue, how: How) {
        match (map, how) {
            (Map::Request, How::Add) => self.request.append(field, value),
            (Map::Request, How::Replace) => self.request.set(field, value),
            (_, How::Add) => {
                self.changes.push(Change::Append(field.clone(), value.clone()));
                self.response.append(field, value);
            }
            (_, How::Replace) => {
                self.changes.push(Change::Set(field.clone(), value.clone()));
                self.response.set(field, value);
            }
        }
    }

    fn remove(&mut self, map: Map, name: &[u8]) {
        if !self.is_writable(map, name) {
            return;
        }
        // What is no name stands nowhere.
        let Ok(field) = HeaderName::from_bytes(name) else { return };
        if judge(&field, true) == Verdict::Allowed && self.fields(map).is_some_and(|fields| fields.contains_key(&field)) {
            self.take_out(map, field);
        }
    }

    fn take_out(&mut self, map: Map, field: HeaderName) {
        if map == Map::Request {
            return self.request.remove(&field);
        }
        self.response.remove(&field);
        self.changes.push(Change::Remove(field));
    }

    /// All fields anew. What the guest leaves as it was is not written; what is the gateway's stays.
    fn set_pairs(&mut self, map: Map, bytes: &[u8]) {
        if !self.is_writable(map, b"all") {
            return;
        }
        let Some(pairs) = Pairs::read(bytes) else {
            return self.refuse(|| format!("all fields: they are malformed, or more than {MOST_FIELDS}"));
        };
        let Some(fields) = self.fields(map) else { return };
        let same = |field: &HeaderName| fields.get_all(field).iter().map(HeaderValue::as_bytes).eq(values_of(pairs, field));
        let differ: Vec<HeaderName> = fields.keys().filter(|field| !same(field)).cloned().collect();
        let new = pairs.iter().filter(|(name, _)| HeaderName::from_bytes(name).map_or(true, |name| !fields.contains_key(name)));
        let new: Vec<(&[u8], &[u8])> = new.collect();
        for field in differ {
            let values: Vec<&[u8]> = values_of(pairs, &field).collect();
            match judge(&field, values.is_empty()) {
                Verdict::Allowed => self.take_out(map, field.clone()),
                Verdict::NotNeeded => continue,
                Verdict::Refused(_) => {}
            }
            values.into_iter().for_each(|value| self.write(map, field.as_str().as_bytes(), value, How::Add));
        }
        new.into_iter().for_each(|(name, value)| self.write(map, name, value, How::Add));
    }

    fn write_pseudo(&mut self, map: Map, name: &[u8], value: &[u8]) {
        let known = std::str::from_utf8(name).ok().and_then(|name| self.pseudo(map, name));
        let Some(known) = known else {
            return self.refuse(|| format!("{}: there is no such pseudo field", shown(name)));
        };
        if *known == *value {
            return;
        }
        let rule = match name {
            b":path" => self.set_path(value).err(),
            b":method" => {
                let set = Method::from_bytes(value).ok().map(|method| self.request.set_method(method));
                (!matches!(set, Some(Ok(())))).then_some("it is no method, or one that frames the answer")
            }
            b":status" => match std::str::from_utf8(value).ok().and_then(|value| value.parse().ok()) {
                Some(status @ 200..600u16) => {
                    self.status = Some(status);
                    None
                }
                _ => Some("it must be from 200 to 599"),
            },
            _ => Some("the operation was chosen by it"),
        };
        if let Some(rule) = rule {
            self.refuse(|| format!("pseudo field `{}`: {rule}", String::from_utf8_lossy(name)));
        }
    }

    /// The gateway judges the path once more before the request goes out.
    fn set_path(&mut self, value: &[u8]) -> std::result::Result<(), &'static str> {
        const RULE: &str = "it is no path with a query";
        let target = std::str::from_utf8(value).map_err(|_| RULE)?;
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        if path != self.request.path() {
            self.request.set_path(path).map_err(|_| RULE)?;
        }
        self.request.set_query(query).map_err(|_| RULE)
    }
}

/// Pseudo fields in the order in which guests get them.
const PSEUDO: [(Map, &str); 6] = [
    (Map::Request, ":authority"),
    (Map::Request, ":path"),
    (Map::Request, ":method"),
    (Map::Request, ":scheme"),
    (Map::Response, ":status"),
    (Map::Call, ":status"),
];

/// What a guest wrote under a name.
fn values_of<'m>(pairs: Pairs<'m>, field: &HeaderName) -> impl Iterator<Item = &'m [u8]> {
    let is = move |name: &[u8]| name.eq_ignore_ascii_case(field.as_str().as_bytes());
    pairs.iter().filter(move |(name, _)| is(name)).map(|(_, value)| value)
}

/// A name as a guest wrote it.
fn shown(name: &[u8]) -> String {
    format!("field {:?}", String::from_utf8_lossy(&name[..name.len().min(64)]))
}
