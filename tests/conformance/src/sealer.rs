//! The rules of [`cache_core::port::Sealer`].
//!
//! A sealer's own test file names them all in one line:
//!
//! ```ignore
//! cache_conformance::sealer_conformance!(StorageFactory);
//! ```

#[cfg(test)]
mod faulty;
mod naming;
mod sealing;
#[cfg(test)]
mod tests;

pub use {naming::*, sealing::*};

use cache_core::port::Sealer;
use std::sync::Arc;

/// Makes sealers of the kind under test.
pub trait SealerFactory: Send + Sync {
    /// A sealer with the key of this number: the same number, the same key.
    ///
    /// # Errors
    ///
    /// When no key can be made.
    fn sealer(&self, number: u8) -> anyhow::Result<Arc<dyn Sealer>>;
}

/// Makes a test of each rule, for the sealers of the given [`SealerFactory`].
#[macro_export]
macro_rules! sealer_conformance {
    ($factory:expr) => {
        $crate::sealer_conformance! { @rules $factory;
            a_name_shows_nothing_of_its_text
            a_single_altered_bit_does_not_open
            any_thread_may_seal_open_and_name
            equal_texts_have_equal_names_and_others_have_others
            sealed_bytes_show_nothing_of_what_they_hold
            stray_bytes_do_not_open
            what_another_key_sealed_does_not_open
            what_is_cut_or_lengthened_does_not_open
            what_is_sealed_opens_whole_with_its_key
            what_was_sealed_in_another_context_does_not_open
            without_the_key_a_name_is_another
        }
    };
    (@rules $factory:expr; $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                $crate::sealer::$rule(&$factory).unwrap();
            }
        )+
    };
}

/// Long enough that none of its parts comes about by chance.
const TEXT: &[u8] = b"GET api.github.com/repos/acme/secret json";
