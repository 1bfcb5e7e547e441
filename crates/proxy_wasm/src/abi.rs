//! Numbers of the ABI.

/// What a host function answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    Ok = 0,
    NotFound = 1,
    BadArgument = 2,
    Memory = 6,
    CasMismatch = 8,
    Internal = 10,
}

/// A map of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Map {
    Request,
    RequestTrailers,
    Response,
    ResponseTrailers,
    Call,
    CallTrailers,
}

impl Map {
    pub fn of(number: u32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::Request,
            1 => Self::RequestTrailers,
            2 => Self::Response,
            3 => Self::ResponseTrailers,
            6 => Self::Call,
            7 => Self::CallTrailers,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// A buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    RequestBody,
    ResponseBody,
    Call,
    VmConfiguration,
    Configuration,
}

impl Buffer {
    pub fn of(number: u32) -> Result<Self, Status> {
        Ok(match number {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            4 => Self::Call,
            6 => Self::VmConfiguration,
            7 => Self::Configuration,
            _ => return Err(Status::BadArgument),
        })
    }
}

/// The marker that a module exports; the first is what most SDKs write.
pub const MARKERS: [&str; 2] = ["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"];
/// How every marker begins.
pub const MARKER: &str = "proxy_abi_version_";

/// The context of a VM to which all others belong.
pub const ROOT: u32 = 1;
/// Most fields in a map that a guest writes.
pub const MOST_FIELDS: usize = 1024;
/// Most bytes that a guest writes into heads in one callback.
pub const MOST_WRITTEN: usize = 128 << 10;
