//! What threads meet by: the standard library's, and `rtrb`'s ring. Named in one place so that the modules which decide
//! in what order things happen between threads can be compiled with other primitives, ones that try every order
//! (`tests/interleavings`).

pub(crate) use std::sync::atomic::{AtomicBool, Ordering};
pub(crate) use std::sync::{Mutex, PoisonError};

pub(crate) use rtrb::chunks::ChunkError;
pub(crate) use rtrb::{Consumer, Producer, RingBuffer};
