use super::ConfiguredProtocol;
use crate::config::Config;
pub(super) fn export(_: &Config, _: &dyn ConfiguredProtocol) -> String {
    String::new()
}
