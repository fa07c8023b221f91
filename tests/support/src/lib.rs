//! What more than one test crate needs: tools, Terraform workspaces, packets.
