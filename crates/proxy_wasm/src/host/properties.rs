//! Properties: what is known of a request beside its head, by the names that Envoy has for them. Parts of a name are separated by zeros.

use tollgate_filter_api::{Bytes, HeaderName};
use tollgate_sandbox::{
    Guest,
    wasmtime::{Linker, Result},
};

use super::{
    Cx, Host, Stage,
    memory::{answer, hand, part},
};
use crate::abi::{Map, Status};

/// Most properties that a guest sets for a request.
const MOST: usize = 32;
/// Most bytes of name and value of one.
const LONGEST: usize = 4 << 10;
/// `TrafficDirection.INBOUND`.
const INBOUND: i64 = 1;

pub fn link(linker: &mut Linker<Guest<Host>>) -> Result<()> {
    linker.func_wrap("env", "proxy_get_property", |mut cx: Cx<'_>, path: u32, size: u32, at: u32, size_at: u32| {
        hand(&mut cx, (at, size_at), |memory, host, out| host.property(part(memory, path, size)?, out).ok_or(Status::NotFound))
    })?;
    linker.func_wrap("env", "proxy_set_property", |mut cx: Cx<'_>, path: u32, size: u32, at: u32, length: u32| {
        answer(&mut cx, |memory, host| {
            let (path, value) = (part(memory, path, size)?, part(memory, at, length)?);
            host.set_property(path, value);
            Ok(())
        })
    })?;
    Ok(())
}

impl Host {
    fn set_property(&mut self, path: &[u8], value: &[u8]) {
        self.properties.retain(|(known, _)| **known != *path);
        if self.properties.len() >= MOST || path.len() + value.len() > LONGEST {
            return self.refuse(|| format!("a property: there may be {MOST} of {LONGEST} bytes"));
        }
        self.properties.push((path.into(), Bytes::copy_from_slice(value)));
    }

    fn property(&self, path: &[u8], out: &mut Vec<u8>) -> Option<()> {
        if let Some((_, value)) = self.properties.iter().find(|(known, _)| **known == *path) {
            out.extend_from_slice(value);
            return Some(());
        }
        let path = std::str::from_utf8(path).ok()?.trim_end_matches('\0');
        let (first, rest) = path.split_once('\0').unwrap_or((path, ""));
        match (first, rest) {
            ("request", rest) => self.of_request(rest, out),
            ("response", rest) => self.of_response(rest, out),
            ("source", "address") => text(out, &self.call.as_ref()?.client.to_string()),
            ("plugin_name" | "plugin_root_id" | "root_id", "") => text(out, &self.common.name),
            ("plugin_vm_id", "") => text(out, ""),
            ("listener_direction", "") => number(out, INBOUND),
            ("route_name", "") => text(out, &self.call.as_ref()?.operation.id),
            ("tollgate", rest) => {
                let operation = &self.call.as_ref()?.operation;
                match rest {
                    "api" => text(out, &operation.api),
                    "version" => text(out, &operation.version),
                    "base_path" => text(out, &operation.base_path),
                    "operation" => text(out, &operation.id),
                    "template" => text(out, &operation.template),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    fn of_request(&self, name: &str, out: &mut Vec<u8>) -> Option<()> {
        let call = self.call.as_ref()?;
        let pseudo = |name: &str, out: &mut Vec<u8>| self.pseudo(Map::Request, name).map(|value| out.extend_from_slice(&value));
        let path = || self.pseudo(Map::Request, ":path").map(std::borrow::Cow::into_owned);
        match name {
            "path" => pseudo(":path", out),
            "url_path" => path().map(|path| out.extend(path.into_iter().take_while(|byte| *byte != b'?'))),
            "query" => path().map(|path| out.extend(path.into_iter().skip_while(|byte| *byte != b'?').skip(1))),
            "method" => pseudo(":method", out),
            "host" => pseudo(":authority", out),
            "scheme" => pseudo(":scheme", out),
            "id" => text(out, &call.request_id.to_string()),
            "time" => number(out, i64::try_from(self.nanoseconds()).unwrap_or(i64::MAX)),
            "useragent" => self.field(Map::Request, "user-agent", out),
            "referer" => self.field(Map::Request, "referer", out),
            _ => self.field(Map::Request, name.strip_prefix("headers\0")?, out),
        }
    }

    fn of_response(&self, name: &str, out: &mut Vec<u8>) -> Option<()> {
        match name {
            "code" if matches!(self.stage, Stage::Response | Stage::ResponseBody | Stage::Done) => {
                let code = std::str::from_utf8(&self.pseudo(Map::Response, ":status")?).ok()?.parse().ok()?;
                number(out, code)
            }
            _ => self.field(Map::Response, name.strip_prefix("headers\0")?, out),
        }
    }

    fn field(&self, map: Map, name: &str, out: &mut Vec<u8>) -> Option<()> {
        let value = self.fields(map)?.get(HeaderName::from_bytes(name.as_bytes()).ok()?)?;
        out.extend_from_slice(value.as_bytes());
        Some(())
    }
}

fn text(out: &mut Vec<u8>, text: &str) -> Option<()> {
    out.extend_from_slice(text.as_bytes());
    Some(())
}

fn number(out: &mut Vec<u8>, number: i64) -> Option<()> {
    out.extend_from_slice(&number.to_le_bytes());
    Some(())
}
