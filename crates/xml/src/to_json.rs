//! From XML to JSON.

use tollgate_validation::{json::Malformed, xml};

use crate::{Broken, Convention, Hints, Options, Why, json::Writer, wso2};

/// Makes JSON of XML.
#[derive(Clone, Debug)]
pub struct ToJson {
    options: Options,
    hints: Hints,
}

impl ToJson {
    /// By `hints`, unless the convention is another.
    pub fn new(options: Options, hints: Hints) -> Self {
        Self { options, hints }
    }

    /// The JSON text that a document stands for.
    ///
    /// # Errors
    /// Why there is none.
    pub fn convert(&self, body: &[u8]) -> Result<Vec<u8>, Broken> {
        let limits = self.options.limits.value();
        let document = xml::document(body, limits.values)?;
        let comma = if self.options.convention == Convention::Wso2 { ", " } else { "," };
        let mut writer = Writer::new(&limits, self.options.limits.output, comma, body.len());
        let written = match self.options.convention {
            Convention::Schema => xml::read(&document, &self.hints.0, &mut writer).map_err(Broken::from),
            Convention::Wso2 => wso2::read(&document, &mut writer),
        };
        match written {
            Err(_) if writer.is_large => Err(Why::Large.into()),
            Err(Broken { why: Why::Json(Malformed::Over(over)), .. }) => Err(Why::Xml(Malformed::Over(over).words().to_owned()).into()),
            Err(broken) => Err(broken),
            Ok(()) => Ok(writer.finish()),
        }
    }
}
