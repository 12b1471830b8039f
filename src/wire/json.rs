//! A message as JSON, for the record of a node's life (`record`): an object whose fields stand in wire order, text as a
//! string, bytes as `{"base64":"…"}`, what is kept as it came as `{"tag":2,"base64":"…"}`. No signature passes here.

use std::fmt;

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::base64;
use super::field;
use super::message::{Message, Value};

/// How a value that is not text is written.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Text(String),
    Bytes {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tag: Option<u8>,
        base64: String,
    },
}

impl From<&Value> for Written {
    fn from(value: &Value) -> Written {
        let encoded = |bytes: &[u8]| {
            let mut out = Vec::new();
            base64::encode(bytes, &mut out);
            String::from_utf8(out).unwrap_or_default()
        };
        match value {
            Value::Text(text) => Written::Text(text.clone()),
            Value::Binary(bytes) => Written::Bytes { tag: None, base64: encoded(bytes) },
            Value::Opaque { tag, raw } => Written::Bytes { tag: Some(*tag), base64: encoded(raw) },
        }
    }
}

impl Written {
    fn into_value(self) -> Option<Value> {
        match self {
            Written::Text(text) => Some(Value::Text(text)),
            Written::Bytes { tag, base64 } => {
                let bytes = base64::decode(base64.as_bytes())?;
                Some(match tag {
                    Some(tag) => Value::Opaque { tag, raw: bytes },
                    None => Value::Binary(bytes),
                })
            }
        }
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.fields().filter(|(name, _)| *name != field::AUTH) {
            match value {
                Value::Text(text) => map.serialize_entry(name, text)?,
                Value::Binary(_) | Value::Opaque { .. } => map.serialize_entry(name, &Written::from(value))?,
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Message, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Message;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the fields of a message")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Message, A::Error> {
        let mut message = Message::empty();
        while let Some((name, written)) = map.next_entry::<String, Written>()? {
            let value = written.into_value().ok_or_else(|| A::Error::custom(format!("{name}: no base64")))?;
            message.push(&name, value);
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Kind;

    #[test]
    fn a_message_comes_back_as_it_was_with_its_fields_in_order_but_unsigned() {
        let mut message = Message::new(&Kind::Status).with("st", "active").with("auth", "1 0123456789");
        message.set_value("srcuuid", Value::Binary(vec![1, 2, 255]));
        message.set_value("nested", Value::Opaque { tag: 2, raw: b"x=y\n".to_vec() });
        let text = serde_json::to_string(&message).unwrap();
        let wanted =
            r#"{"t":"status","st":"active","srcuuid":{"base64":"AQL/"},"nested":{"tag":2,"base64":"eD15Cg=="}}"#;
        assert_eq!(text, wanted);
        message.remove("auth");
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in ["[]", r#"{"t":1}"#, r#"{"srcuuid":{"base64":"?"}}"#, r#"{"srcuuid":{}}"#] {
            assert!(serde_json::from_str::<Message>(text).is_err(), "{text}");
        }
    }
}
