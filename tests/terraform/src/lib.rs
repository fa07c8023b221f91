//! The real Terraform CLI, the real provider and the simulator, end to end.
