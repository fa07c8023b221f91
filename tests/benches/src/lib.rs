//! Benchmarks: planner, decode, engine, replay.
