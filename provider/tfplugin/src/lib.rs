//! Terraform plugin protocol 6 for Rust: server, values, schemas, diagnostics.
