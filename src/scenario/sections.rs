use super::{ConfiguredProtocol, Diagnostics, Registry};
use crate::config::Config;
pub(super) fn decode(
    origin: &str,
    _text: &[u8],
    _registry: &Registry,
    _sets: &[String],
) -> Result<(Config, Box<dyn ConfiguredProtocol>), Diagnostics> {
    Err(Diagnostics::unreadable(origin, "the decoder is not there yet"))
}
