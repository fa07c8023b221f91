//! The in-memory AWS, the simulator and the adapter give the same answers.
