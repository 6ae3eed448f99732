//! Why a command stops early.

use std::io;
use std::path::Path;

use crate::cli::{Console, Exit};
use crate::foreign::Mistake;
use crate::scenario::Diagnostics;

/// Why a command stopped. The exit status is [`Exit::Usage`].
pub(super) enum Trouble {
    /// A scenario or an argument with mistakes.
    Mistakes(Diagnostics),
    /// A history that cannot be read.
    History(Box<Mistake>),
    /// Anything else, as an error message of one line; lines of help may follow.
    Error(String),
}

impl From<Diagnostics> for Trouble {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::Mistakes(diagnostics)
    }
}

impl From<Mistake> for Trouble {
    fn from(mistake: Mistake) -> Self {
        Self::History(Box::new(mistake))
    }
}

impl Trouble {
    /// A file or folder that cannot be read or written, as in "cannot write `path`".
    pub(super) fn cannot(verb: &str, path: &Path) -> impl Fn(io::Error) -> Self {
        move |error| Self::Error(format!("cannot {verb} {}: {error}", path.display()))
    }

    /// Prints the mistakes or the message to standard error.
    pub(super) fn show(self, console: &mut Console) -> Exit {
        match self {
            Self::Mistakes(diagnostics) => console.mistakes(&diagnostics),
            Self::History(mistake) => {
                let text = mistake.render(console.err_color());
                console.err(&format!("{}\n", text.trim_end()));
            }
            Self::Error(message) => console.error(&message),
        }
        Exit::Usage
    }
}
