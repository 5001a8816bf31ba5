//! Members, strangers, and what lies between them, by the public interface alone.

mod admission;
mod rotation;
mod session;
mod support;
