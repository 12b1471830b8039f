//! Names and words of the client API, once (`api.md` 2).

/// `reqtype`: which request.
pub const REQTYPE: &str = "reqtype";
/// `pid`: decimal.
pub const PID: &str = "pid";
/// `from_id`: the client's name; of a casual one its pid.
pub const FROM_ID: &str = "from_id";
/// `to_id`: only clients of that name hear the message.
pub const TO_ID: &str = "to_id";
/// `client_gen`: decimal counter of sign-ons.
pub const CLIENT_GEN: &str = "client_gen";
/// `uid`: decimal.
pub const UID: &str = "uid";
/// `gid`: decimal.
pub const GID: &str = "gid";
/// `cn`: a client's name.
pub const CN: &str = "cn";
/// `cs`: `online` or `offline`.
pub const CS: &str = "cs";

/// `t` of a request.
pub const REQUEST: &str = "hbapi-req";
/// `t` of an answer.
pub const RESPONSE: &str = "hbapi-resp";
/// `t` of the message that says that a client joined or left.
pub const CLIENT_STATUS: &str = "hbapi-clstat";
/// `t` of the question whether a client is signed on.
pub const QUERY: &str = "query-cstatus";
/// `t` of its answer.
pub const RESPOND: &str = "respond-cstatus";

/// `result`: done.
pub const OK: &str = "OK";
/// `result`: a list goes on.
pub const MORE: &str = "ok/more";
/// `result`: refused.
pub const BAD: &str = "badreq";
