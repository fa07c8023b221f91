//! Flow state and records; time is a parameter.
