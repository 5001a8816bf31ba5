//! What a transport of Fleet Cache needs, whatever it moves its frames over.
//!
//! Owns the form of frames in a stream of bytes. A transport keeps what is its own: sockets, handshakes, how streams are
//! opened, and the form of its admission on the wire.

#![forbid(unsafe_code)]

pub mod frame;
