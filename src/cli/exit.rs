//! Exit statuses.

use std::process::ExitCode;

use crate::run::RunVerdict;

/// How the command ends. The numbers are part of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Exit {
    /// Everything was as promised and expected.
    Pass = 0,
    /// A promised property was broken, an expectation was not met, two runs that must be equal
    /// differ, or a history is not linearizable.
    Violation = 1,
    /// The command line, a scenario or a history is wrong, or a file could not be read or written.
    Usage = 2,
    /// A checker could not tell.
    Unknown = 3,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// The worse of two. Of several runs the worst decides, and a mistake of usage outranks all.
    #[must_use]
    pub fn worse(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Pass => 0,
            Self::Unknown => 1,
            Self::Violation => 2,
            Self::Usage => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }
}

impl From<RunVerdict> for Exit {
    fn from(verdict: RunVerdict) -> Self {
        match verdict {
            RunVerdict::Pass => Self::Pass,
            RunVerdict::Fail => Self::Violation,
            RunVerdict::Unknown => Self::Unknown,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_wins_in_the_documented_order() {
        let rising = [Exit::Pass, Exit::Unknown, Exit::Violation, Exit::Usage];
        for (i, low) in rising.into_iter().enumerate() {
            for high in &rising[i..] {
                assert_eq!((low.worse(*high), high.worse(low)), (*high, *high));
            }
        }
        assert_eq!(rising.map(Exit::code), [0, 3, 1, 2]);
    }
}
